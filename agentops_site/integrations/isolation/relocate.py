"""Making a copy's command and environment point at the copy, never at the live service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_SEPARATORS = re.compile(r"[:;,=\s\"']+")


class StillLive(ValueError):
    """A value would let the copy write into the live service; the text names it."""


def relocate(value: str, live: Path, copy: Path) -> str:
    """Return the text with each mention of the live folder replaced by the copy's."""
    for spelling in dict.fromkeys((str(live), str(live.resolve()))):
        if spelling != "/":
            value = re.sub(
                rf"(?<![\w.-]){re.escape(spelling)}(?![\w.-])", lambda _: str(copy), value
            )
    return value


def relocated(environment: Mapping[str, str], live: Path, copy: Path) -> dict[str, str]:
    """Return the environment for the copy; raise StillLive when a variable leads into the live folder even so."""
    moved = {name: relocate(value, live, copy) for name, value in environment.items()}
    for name, value in moved.items():
        if leads_into(value, live, copy):
            raise StillLive(f"the variable {name} points into the live service: {value!r}")
    return moved


def leads_into(value: str, live: Path, start: Path) -> bool:
    """Return whether a path in the text, taken from the folder `start`, ends below `live` (links followed)."""
    home = live.resolve()
    pieces = [piece for piece in _SEPARATORS.split(value) if "/" in piece]
    return any(
        (start / re.sub(r"^/+", "/", piece)).resolve().is_relative_to(home) for piece in pieces
    )
