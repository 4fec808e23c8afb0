"""The console's pages of incidents: records to read, channels and on-call order to keep, the agent's switch."""

from __future__ import annotations

from incidents.admin import agent, records, telling

__all__ = ["agent", "records", "telling"]
