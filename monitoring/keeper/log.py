"""The service's log: appended without buffering, rotated by size, never in the service's way."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

LIMIT_BYTES = 5_000_000
KEPT = 3
_RETRY_SECONDS = 1.0


def rotated(log: Path) -> list[Path]:
    """Return the names of a log's files, newest first: x.log, x.log.1, x.log.2."""
    return [log, *(log.with_name(f"{log.name}.{number}") for number in range(1, KEPT))]


class RotatingLog:
    """Takes any bytes. What the disk refuses is dropped and counted: a full disk must not stop a service.

    A service whose output nobody takes blocks in `write` for ever as soon as the pipe is full; so a failure to
    write is noted in the log itself, with the count of lost bytes, once writing works again.
    """

    def __init__(self, path: Path, *, limit: int = LIMIT_BYTES) -> None:
        self._path = path
        self._limit = limit
        self._file: int | None = None
        self._size = 0
        self._lost = 0
        self._reason = ""
        self._retry_at = 0.0

    def write(self, data: bytes) -> None:
        """Append; never raises for a disk's error."""
        if self._file is None and time.monotonic() < self._retry_at:
            self._lost += len(data)
            return
        try:
            self._append(data)
        except OSError as error:
            self._give_up(error, len(data))

    def note(self, text: str) -> None:
        """Append a line of the keeper's own."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        self.write(f"{stamp} [keeper] {text}\n".encode())

    def close(self) -> None:
        """Let go of the file; the next write opens it again."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def _append(self, data: bytes) -> None:
        if self._file is None:
            self._open()
        if self._size >= self._limit:
            self._rotate()
        if self._lost:
            lost, self._lost = self._lost, 0
            self._put(f"[keeper] {lost} bytes of log were lost here: {self._reason}\n".encode())
        self._put(data)

    def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest and self._file is not None:
            written = os.write(self._file, rest)
            self._size += written
            rest = rest[written:]

    def _open(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._file).st_size

    def _rotate(self) -> None:
        self.close()
        names = rotated(self._path)
        for newer, older in reversed(list(itertools.pairwise(names))):
            if newer.exists():
                newer.replace(older)
        self._open()

    def _give_up(self, error: OSError, size: int) -> None:
        self._lost += size
        self._reason = error.strerror or str(error)
        self._retry_at = time.monotonic() + _RETRY_SECONDS
        self.close()
