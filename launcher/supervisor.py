"""Keep the processes of a table alive, and stop them in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from launcher.child import Process, Running, Surroundings, ending, rotate, tail, wrong_setting
from launcher.console import LauncherError, event, indented
from launcher.signals import Signals

FIRST_DELAY = 0.5
CRASH_LIMIT = 5
CRASH_WINDOW = 60.0
ROTATE_EVERY = 30.0


class StopRequested(Exception):
    """Somebody pressed Ctrl-C or sent SIGTERM or SIGHUP."""


class KilledAtOnce(Exception):
    """Somebody asked a second time: everything was killed without waiting."""


@dataclass
class Child:
    """A row of the table at work: its present process, and the times of its recent crashes."""

    process: Process
    running: Running | None = None
    status: int | None = None
    awaited: bool = False
    restart_at: float | None = None
    crashes: deque[float] = field(default_factory=deque)

    def note_crash(self, now: float) -> float | None:
        """Return the seconds to wait before the next start (0.5, 1, 2, ...), or None when it is hopeless."""
        self.crashes.append(now)
        while now - self.crashes[0] > CRASH_WINDOW:
            self.crashes.popleft()
        if len(self.crashes) > CRASH_LIMIT:
            return None
        return FIRST_DELAY * 2.0 ** (len(self.crashes) - 1)


class Supervisor:
    """Starts processes, restarts those that crash, and stops all in the reverse of their order of start."""

    def __init__(self, around: Surroundings, signals: Signals) -> None:
        self._around = around
        self._signals = signals
        self._children: list[Child] = []
        self._rotated = time.monotonic()

    def start(self, process: Process) -> Child:
        child = Child(process)
        self._children.append(child)
        self._spawn(child)
        return child

    def run(self, process: Process) -> None:
        """Run a step of the start to its end while the others are watched over.

        Raises:
            LauncherError: it failed; the message ends with the tail of its log.
            StopRequested: somebody wants us to stop.
        """
        child = self.start(process)
        child.awaited = True
        while child.status is None:
            self.tick(1.0)
        self._children.remove(child)
        if child.status != 0:
            raise LauncherError(self._failure(process.name, ending(child.status)))

    def until(self, holds: Callable[[], bool], limit: float) -> bool:
        """Watch over everything until a condition holds; return False when it does not within the limit."""
        deadline = time.monotonic() + limit
        while not holds():
            if time.monotonic() > deadline:
                return False
            self.tick(0.1)
        return True

    def forever(self) -> None:
        while True:
            self.tick(5.0)

    def not_up(self) -> list[str]:
        """Return the names of the processes that wait for a restart or failed."""
        return [each.process.name for each in self._children if each.restart_at or each.status]

    def tick(self, seconds: float) -> None:
        """Wait for something to happen, at most so long, and act on it.

        Raises:
            StopRequested: somebody wants us to stop.
            LauncherError: a process crashes again and again.
        """
        due = [each.restart_at - time.monotonic() for each in self._children if each.restart_at]
        self._signals.wait(min([seconds, *due]))
        if self._signals.stop_asked:
            raise StopRequested
        for child in self._children:
            self._look_at(child)
        if time.monotonic() - self._rotated > ROTATE_EVERY:
            self._rotated = time.monotonic()
            for child in self._children:
                rotate(self._around.logs / f"{child.process.name}.log")

    def stop(self) -> bool:
        """Stop everything, last started first, each within its grace and what those before it left of theirs.

        Returns whether all that had to be undone was: one that took too long was killed, and is owed.

        Raises:
            KilledAtOnce: a second request came; nothing runs any more.
        """
        spare, done = 0.0, True
        for child in reversed(self._children):
            if child.running:
                child.running.terminate()
                spare = self._finish(child.running, child.process.grace + spare)
            if child.process.undo:
                undo = Running(f"{child.process.name}-stop", child.process.undo, self._around)
                spare = self._finish(undo, child.process.grace + spare)
                done = done and undo.poll() == 0
            child.running = None
        return done

    def _finish(self, running: Running, grace: float) -> float:
        """Wait for a process to end and return the seconds that it left unused.

        It is killed when its time is over, and everything is when we are told twice.
        """
        deadline = time.monotonic() + grace
        while running.poll() is None:
            left = deadline - time.monotonic()
            if self._signals.at_once:
                running.kill()
                self._kill_all()
                raise KilledAtOnce
            if left <= 0:
                event(f"{running.name} did not stop within {grace:g} s: killed.")
                running.kill()
                break
            self._signals.wait(min(left, 0.5))
        return max(0.0, deadline - time.monotonic())

    def _kill_all(self) -> None:
        for child in self._children:
            if child.running:
                child.running.kill()

    def _spawn(self, child: Child) -> None:
        child.restart_at = None
        child.running = Running(child.process.name, child.process.command, self._around)

    def _look_at(self, child: Child) -> None:
        if child.restart_at and time.monotonic() >= child.restart_at:
            self._spawn(child)
        status = child.running.poll() if child.running else None
        if status is None:
            return
        child.running = None
        if child.process.once:
            child.status = status
            if status != 0 and not child.awaited:
                event(self._failure(child.process.name, ending(status)))
        else:
            self._schedule_restart(child, status)

    def _schedule_restart(self, child: Child, status: int) -> None:
        delay = child.note_crash(time.monotonic())
        name, how = child.process.name, ending(status)
        if status == 1 and wrong_setting(tail(self._around.logs / f"{name}.log")):
            raise LauncherError(self._failure(name, how))  # another start would end the same
        if delay is None:
            raise LauncherError(
                self._failure(
                    name, f"{how}, for the {CRASH_LIMIT + 1}th time within {CRASH_WINDOW:g} s"
                )
            )
        child.restart_at = time.monotonic() + delay
        event(f"{name} {how}; starting it again in {delay:g} s. Log: {self._log_of(name)}")

    def _failure(self, name: str, how: str) -> str:
        log = self._around.logs / f"{name}.log"
        said = tail(log)
        if wrong := wrong_setting(said):
            return f"A setting is wrong: {wrong}\nMend it in the environment or in .env. ({name} {how}; its log: {log})"
        return f"{name} {how}. The end of its log ({log}):\n{indented(said)}"

    def _log_of(self, name: str) -> str:
        return str(self._around.logs / f"{name}.log")
