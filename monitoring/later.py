"""Writes rows in bunches, off the path of the request that made them: who only looks around waits for no write lock.

SQLite has one writer at a time, and those who wait for it are not served in turn. With a row a request, fifty shoppers
queued for seconds behind one another; one transaction every half second does not.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db import connections

T = TypeVar("T")
MOST_PENDING = (
    1000  # what is beyond it pushes out the oldest: memory is bounded, whatever the database does
)


class Later(Generic[T]):
    """What is not written yet, in the order in which it happened. `write` gets each bunch and must not raise."""

    def __init__(self, write: Callable[[list[T]], None]) -> None:
        self._write = write
        self._timer: threading.Timer | None = None
        self._begin()
        os.register_at_fork(after_in_child=self._begin)
        atexit.register(self.flush)

    def put(self, one: T, *, seconds: float) -> None:
        """Have `one` written within so many seconds, together with what comes meanwhile."""
        self._pending.append(one)
        with self._starting:
            if self._timer is None:
                self._timer = threading.Timer(seconds, self._flush_alone)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what is pending, in this thread."""
        with self._turn:  # a bunch is written wholly before the next one is taken: the order stays
            with self._starting:
                self._timer = None
            bunch = [self._pending.popleft() for _ in range(len(self._pending))]
            if bunch:
                self._write(bunch)

    def _flush_alone(self) -> None:
        try:
            self.flush()
        finally:
            connections.close_all()  # this thread ends, and nobody else could close its own

    def _begin(self) -> None:
        """Start empty; a forked child does so too, for its parent writes what is pending there."""
        self._pending: deque[T] = deque(maxlen=MOST_PENDING)
        self._turn, self._starting = threading.Lock(), threading.Lock()
        self._timer = None
