"""The team's socket: one hub a process listens to Redis, renders each change once a role, and fans it out."""

from __future__ import annotations

from incidents.consumers.socket import TeamSocket

__all__ = ["TeamSocket"]
