"""The settings, read once at the start."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    title: str
    max_length: int
    file: Path


def load(path: Path) -> Settings:
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return Settings(
        title=found["title"], max_length=found["max_length"], file=path.parent / found["file"]
    )
