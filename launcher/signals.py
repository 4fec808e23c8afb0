"""Signals as something to wait for, so that nothing is interrupted half done."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable
from types import FrameType, TracebackType

Handler = Callable[[int, FrameType | None], object] | int | None
STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """While entered: notes requests to stop, and wakes `wait` for them and for each child that ends.

    Only a further Ctrl-C means "at once": a closing terminal sends SIGHUP twice (kernel and shell), and service
    managers send several signals for one stop.
    """

    def __init__(self) -> None:
        self.stop_asked = False
        self.at_once = False
        self._replaced: dict[int, Handler] = {}

    def __enter__(self) -> Signals:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._old_fd = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in (*STOP, signal.SIGCHLD):
            # nohup has SIGHUP ignored on purpose: the stack shall outlive its terminal
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            self._replaced[number] = signal.signal(number, self._count)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._replaced.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_fd)
        os.close(self._reader)
        os.close(self._writer)

    def _count(self, number: int, _frame: FrameType | None) -> None:
        if number in STOP:
            self.at_once = self.at_once or (self.stop_asked and number == signal.SIGINT)
            self.stop_asked = True

    def wait(self, seconds: float) -> None:
        """Return after a signal, or after so many seconds."""
        select.select([self._reader], [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            while os.read(self._reader, 512):
                pass
