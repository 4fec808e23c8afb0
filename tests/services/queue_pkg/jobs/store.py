"""Jobs and their results."""

from __future__ import annotations

import queue
import threading


class Store:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[int, str | None] = {}
        self.waiting: queue.Queue[tuple[int, str, str]] = queue.Queue()

    def put(self, kind: str, text: str) -> int:
        with self._lock:
            number = len(self._results) + 1
            self._results[number] = None
        self.waiting.put((number, kind, text))
        return number

    def finish(self, number: int, result: str) -> None:
        with self._lock:
            self._results[number] = result

    def all(self) -> dict[int, str | None]:
        with self._lock:
            return dict(self._results)
