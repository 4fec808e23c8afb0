"""A total time limit for a blocking call. SDKs and HTTP clients limit each read, so a dripping server outlives them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class OutOfTime(Exception):
    """The call did not end in time; it was cut off and its result, if any, is thrown away."""


class _Job(threading.Thread, Generic[Result]):
    """Runs the call and keeps what came of it. A daemon: a hung vendor must not keep a worker from ending."""

    def __init__(self, work: Callable[[], Result]) -> None:
        super().__init__(daemon=True, name="vendor-call")
        self._work = work
        self.result: Result | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # carried over to the caller, who waits
            self.error = error


def within(seconds: float, work: Callable[[], Result], *, cut: Callable[[], object]) -> Result:
    """Return what `work` returns, or raise what it raises, or `OutOfTime` after `seconds`.

    `cut` ends the call's connection, so that the thread left behind ends too. `work` runs in a thread of its own
    and must not touch the database.
    """
    job = _Job(work)
    job.start()
    job.join(max(seconds, 0.0))
    if job.is_alive():
        cut()
        raise OutOfTime(f"no complete answer within {seconds:.0f} s")
    if job.error is not None:
        raise job.error
    return job.result  # type: ignore[return-value]
