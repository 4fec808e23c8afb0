"""Where everything lies: the checkout, its virtual environment and the data folder."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from launcher.console import LauncherError

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Layout:
    """The two folders that all paths hang on: `root` (the checkout, read only) and `data` (all state)."""

    root: Path
    data: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def run(self) -> Path:
        """Facts about the present run: lock, broker address, beat's schedule."""
        return self.data / "run"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    def make_folders(self) -> None:
        """Create the data folder for its owner alone; one that exists keeps the access it was given.

        Raises:
            LauncherError: it cannot be created or written to.
        """
        try:
            for folder in (self.data, self.run, self.logs):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LauncherError(f"The data folder cannot be used: {error}") from error

    def shown(self, path: Path) -> str:
        """Return a path as a person would type it from the checkout."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only; a reader never sees half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)
