"""The steps' name for what they are handed (see `incidents.ports.Tools`)."""

from __future__ import annotations

from incidents.ports import Tools

__all__ = ["Tools"]
