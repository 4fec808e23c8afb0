"""The notes: a JSON file that is replaced whole."""

from __future__ import annotations

import json
from pathlib import Path


class Notes:
    def __init__(self, file: Path) -> None:
        self._file = file
        file.parent.mkdir(exist_ok=True)
        self._notes: list[str] = json.loads(file.read_text()) if file.exists() else []

    def all(self) -> list[str]:
        return list(self._notes)

    def add(self, text: str) -> int:
        self._notes.append(text)
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(self._notes))
        draft.replace(self._file)
        return len(self._notes) - 1
