"""Stand-ins that are real classes and replay scripted answers."""

from __future__ import annotations
