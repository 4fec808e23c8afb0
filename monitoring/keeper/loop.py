"""The keeper's life: start the service, take its output, note how it ends, do what signals ask."""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import subprocess
import time
from pathlib import Path

from monitoring.keeper.child import Spec, signal_group, spawn
from monitoring.keeper.identity import is_same, mark
from monitoring.keeper.log import RotatingLog
from monitoring.keeper.state import EXITED, RUNNING, STOPPED, State, read_state, write_state

STOP_SECONDS = 3.0
HUNG_STOP_SECONDS = 0.25
"""What a service gets that answers nobody: time to write down what it holds, not to wait for requests that never end."""
HUNG = "hung"
"""The file in the folder that says so for the next stop. A signal carries no word, and a keeper from before this file
existed must go on as it did."""

_PIPE_BYTES = 1 << 20
_ORDERS = {signal.SIGHUP: "start", signal.SIGTERM: "stop", signal.SIGINT: "stop"}
_COMMAND_NOT_STARTED = 127


class Keeper:
    """One service's parent, for as long as that service runs.

    SIGHUP starts it again from spec.json, SIGTERM (or Ctrl-C) stops it: both are planned and open no incident. A
    service that ends by itself stays ended, because what happens then is AgentOps' decision.
    """

    def __init__(self, folder: Path, log: RotatingLog) -> None:
        self._folder = folder
        self._log = log
        self._child: subprocess.Popen[bytes] | None = None
        self._order = "start"
        self._kill_at: float | None = None
        self._grace = STOP_SECONDS
        self._selector = selectors.DefaultSelector()
        self._output, self._input = _pipe()
        self._selector.register(self._output, selectors.EVENT_READ, self._take_output)
        self._wakeups = _wake_on_signals()
        self._selector.register(self._wakeups, selectors.EVENT_READ, self._take_signals)
        before = read_state(folder)
        _sweep(before)
        pid = os.getpid()
        self._state = before._replace(keeper_pid=pid, keeper_mark=mark(pid))

    def run(self) -> None:
        """Start the service and return when it has ended and nobody has asked for it again."""
        while self._order or self._child is not None:
            self._carry_out()
            if self._child is not None:
                for key, _ in self._selector.select(self._patience()):
                    key.data()
                self._reap()
        self._log.close()

    def _patience(self) -> float | None:
        return None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())

    def _take_signals(self) -> None:
        for number in os.read(self._wakeups, 4096):
            order = _ORDERS.get(signal.Signals(number))
            self._order = order or self._order

    def _take_output(self) -> bool:
        try:
            data = os.read(self._output, _PIPE_BYTES)
        except BlockingIOError:
            return False
        self._log.write(data)
        return True

    def _carry_out(self) -> None:
        order = self._order
        if order and self._child is not None:
            self._stop(self._child)
            return
        self._order = ""
        if order == "start":
            self._start()
        elif order == "stop":
            self._note(phase=STOPPED, planned=True)

    def _stop(self, child: subprocess.Popen[bytes]) -> None:
        now = time.monotonic()
        if self._kill_at is None:
            self._note(planned=True)  # first: whoever sees the process end must find it written
            self._grace = HUNG_STOP_SECONDS if (self._folder / HUNG).exists() else STOP_SECONDS
            self._kill_at = now + self._grace
            signal_group(child.pid, signal.SIGTERM)
            signal_group(child.pid, signal.SIGCONT)  # a suspended process would not see SIGTERM
        elif now >= self._kill_at:
            self._log.note(f"still running {self._grace:g} s after SIGTERM: killed")
            self._kill_at = now + STOP_SECONDS
            signal_group(child.pid, signal.SIGKILL)

    def _start(self) -> None:
        generation = self._state.generation + 1
        try:
            spec = Spec(**json.loads((self._folder / "spec.json").read_bytes()))
            child = spawn(spec, self._input)
        except (OSError, ValueError, TypeError) as error:
            self._not_started(generation, error)
            return
        self._child = child
        self._note(
            phase=RUNNING,
            planned=False,
            generation=generation,
            pid=child.pid,
            pid_mark=mark(child.pid),
            started_at=time.time(),
            ended_at=None,
            exit_code=None,
            signal=None,
            error="",
        )

    def _not_started(self, generation: int, error: Exception) -> None:
        self._log.note(f"cannot start: {error}")
        self._note(
            phase=EXITED,
            planned=False,
            generation=generation,
            pid=None,
            pid_mark="",
            ended_at=time.time(),
            exit_code=_COMMAND_NOT_STARTED,
            signal=None,
            error=str(error),
        )

    def _reap(self) -> None:
        child = self._child
        status = child.poll() if child is not None else None
        if child is None or status is None:
            return
        signal_group(child.pid, signal.SIGKILL)  # what it started must not squat on its port
        self._note(
            phase=STOPPED if self._state.planned else EXITED,
            ended_at=time.time(),
            exit_code=status if status >= 0 else None,
            signal=-status if status < 0 else None,
        )
        while self._take_output():
            pass
        if not self._state.planned:
            self._log.note(f"ended by itself, status {status}")
        self._child, self._kill_at = None, None

    def _note(self, **changes: object) -> None:
        self._state = State(**{**self._state._asdict(), **changes})
        try:
            write_state(self._folder, self._state)
        except OSError as error:
            self._log.note(f"state.json cannot be written: {error}")


def _pipe() -> tuple[int, int]:
    # One pipe for all generations: no end of file to handle, and a large one, so that a burst of output meets
    # no wait. Only the reading end is non-blocking; the service's own must not be.
    output, given = os.pipe()
    os.set_blocking(output, False)
    _enlarge(output)
    return output, given


def _enlarge(pipe: int) -> None:
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    except (AttributeError, OSError):
        return  # not Linux, or the user's pipe quota is used up: it works with 64 KiB too


def _wake_on_signals() -> int:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (*_ORDERS, signal.SIGCHLD):
        signal.signal(number, lambda _number, _frame: None)
    return reading


def _sweep(before: State) -> None:
    """End what a killed keeper left behind: its service, or members of its group whose leader is gone.

    The number of a group stays taken while it has members, so a group without a leader is still the old one.
    """
    pid = before.pid
    if before.phase != RUNNING or not pid or _other_boot(before):
        return
    now = mark(pid)
    if now == "" or is_same(pid, before.pid_mark):
        signal_group(pid, signal.SIGKILL)


def _other_boot(before: State) -> bool:
    return before.pid_mark.rpartition(":")[0] != mark(os.getpid()).rpartition(":")[0]
