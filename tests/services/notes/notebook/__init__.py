"""A small notebook over HTTP: asyncio streams, notes in one JSON file, settings in TOML. Watched by tests."""

from __future__ import annotations
