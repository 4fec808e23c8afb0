"""Tasks that stay: one message makes several turns, because a message costs the queue's processes more than a turn does.

The turns of one kind belong to the newest message: an older one that still has turns left gives them up, so that they
neither overlap nor leave a gap when beat, a restarted worker or a second beat sends again. A worker that is killed loses
the turns of one message; the next message is never further away than `every * turns`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

from celery.signals import worker_shutting_down

_stopping = threading.Event()


class Stay:
    """The turns of one kind of task within this process: `turns` of them, `every` seconds apart."""

    def __init__(self, *, every: float, turns: int) -> None:
        """Remember the rhythm; `turns_of_a_message` keeps it."""
        self.every = every
        self.turns = turns
        self._newest = 0
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Return how far apart its messages are to be sent."""
        return self.every * self.turns

    def turns_of_a_message(self) -> Iterator[None]:
        """Yield at once and then at a fixed rate; end early for a newer message, or when the worker is to stop.

        A turn whose time has passed while the one before it was at work is left out, not made up for.
        """
        with self._lock:
            self._newest += 1
            mine = self._newest
        began = time.monotonic()
        number = 0
        while number < self.turns:
            if number and _stopping.wait(max(0.0, began + number * self.every - time.monotonic())):
                return
            if mine != self._newest:
                return
            yield
            passed = int((time.monotonic() - began) / self.every)
            number = max(number + 1, passed)


@worker_shutting_down.connect
def end_stays(**_: Any) -> None:
    """Let every task that stays end after its present turn: a stop must not wait for turns to come."""
    _stopping.set()
