"""One process of the stack: how it is started, that it cannot outlive us, how it is stopped."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

LOG_LIMIT = 5_000_000
TAIL_BYTES = 4_000
WRONG_SETTING = "django.core.exceptions.ImproperlyConfigured: "


@dataclass(frozen=True)
class Process:
    """A row of the process table.

    `grace` is how many seconds it has to end after SIGTERM. One that is `once` runs to its end at start; its
    `undo` runs, within `grace`, when its turn to stop comes.
    """

    name: str
    command: tuple[str, ...]
    grace: float = 1.0
    once: bool = False
    undo: tuple[str, ...] = ()


@dataclass(frozen=True)
class Surroundings:
    """What all processes share. `register` is told the group of each process that starts (+) and ends (-)."""

    folder: Path
    logs: Path
    env: Mapping[str, str]
    register: Callable[[str], None] = lambda _line: None


class Running:
    """A process that was started: a group of its own, all output in one log file."""

    def __init__(self, name: str, command: Sequence[str], around: Surroundings) -> None:
        self.name = name
        self.log = around.logs / f"{name}.log"
        self._register = around.register
        rotate(self.log)
        with self.log.open("ab") as log:
            # A session of its own: the terminal's Ctrl-C must reach the launcher alone, because
            # Celery takes a second signal as "drop your tasks".
            self._popen = subprocess.Popen(  # noqa: S603 - commands of our own table
                command,
                cwd=around.folder,
                env=dict(around.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent(os.getpid()),
            )
        self.pid = self._popen.pid
        self.started = time.monotonic()
        self._register(f"+{self.pid}")

    def poll(self) -> int | None:
        """Return the exit status once it has ended, and clear away what is left of its group."""
        status = self._popen.poll()
        if status is not None:
            self._clear()
        return status

    def terminate(self) -> None:
        """Ask it alone to end: a worker tells its own children."""
        if self._popen.poll() is None:
            self._popen.terminate()

    def kill(self) -> None:
        """End the whole group now."""
        self._clear()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(timeout=1)

    def _clear(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._register(f"-{self.pid}")


def die_with_parent(parent: int) -> Callable[[], None] | None:
    """Return what a new child does first so that the kernel kills it when the launcher dies (Linux only)."""
    libc = LIBC
    if libc is None:
        return None

    def ask_kernel() -> None:
        libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # died before the line above: no signal will come any more
            os._exit(1)

    return ask_kernel


def rotate(log: Path) -> None:
    """Move a log that has grown large aside, over the one moved before; its writers go on in the empty file."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, or a sentence when there are none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError as error:
        return f"(the log cannot be read: {error})"
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"


def wrong_setting(said: str) -> str:
    """Return what a process said about a setting as its last words, or an empty text."""
    last = said.rstrip().rpartition("\n")[2]
    return last.removeprefix(WRONG_SETTING) if last.startswith(WRONG_SETTING) else ""


def ending(status: int) -> str:
    """Return how a process ended, in words."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
