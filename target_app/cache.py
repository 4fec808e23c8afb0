"""A small cache with a time to live, a bound on its size, and no stale answer after a change."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Cache(Generic[Value]):
    """Keeps computed values. `clear()` also discards a value that was being computed then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._generation = 0

    def get(
        self, key: Hashable, compute: Callable[[], Value], *, seconds: float, most: int
    ) -> Value:
        """Return the value of `key`, computed when it is missing or older than `seconds`."""
        with self._lock:
            generation = self._generation
            entry = self._entries.get(key)
        if entry is not None and self._clock() - entry[0] < seconds:
            return entry[1]
        value = compute()
        with self._lock:
            if generation == self._generation:
                self._entries[key] = (self._clock(), value)
                self._entries.move_to_end(key)
                while len(self._entries) > most:
                    self._entries.popitem(last=False)
        return value

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._generation += 1
