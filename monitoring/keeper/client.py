"""How AgentOps speaks to the keepers: files in the run folder, and signals."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from monitoring.keeper.child import Spec
from monitoring.keeper.identity import is_same, mark
from monitoring.keeper.loop import HUNG, STOP_SECONDS
from monitoring.keeper.state import (
    RUNNING,
    STOPPED,
    State,
    read_state,
    write_state,
    write_whole,
)

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_ANSWER_SECONDS = STOP_SECONDS + 4.0
_LOCK_SECONDS = 2 * _ANSWER_SECONDS
_STEP = 0.003
# A service sees these of AgentOps' environment and nothing else: never a key, a token or a database address.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


class KeeperError(Exception):
    """A keeper could not be started, or did not do what it was told in time."""


class KeeperClient:
    """One service's keeper, seen from outside. `data` is AGENTOPS_DATA.

    Orders to one keeper are given one at a time, whichever process gives them: two restarts at once would
    otherwise each take the other's new process for their own.
    """

    def __init__(self, data: Path, slug: str) -> None:
        self.folder = data / "run" / "services" / slug
        self.log = data / "logs" / "services" / f"{slug}.log"

    def state(self) -> State:
        """Return what the keeper wrote last."""
        return read_state(self.folder)

    def keeper_lives(self, state: State) -> bool:
        """Return whether the keeper that wrote `state` still runs."""
        return is_same(state.keeper_pid, state.keeper_mark)

    def service_lives(self, state: State) -> bool:
        """Return whether the process that `state` names still runs."""
        return state.phase == RUNNING and is_same(state.pid, state.pid_mark)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the right to give orders and to write the service's files. Raises KeeperError when it is long taken."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "orders.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not _until(lambda: _locked(descriptor), _LOCK_SECONDS):
                raise KeeperError("another process has been changing this service for too long")
            yield
        finally:
            os.close(descriptor)

    def start(self, spec: Spec, *, hung: bool = False) -> State:
        """(Re)start the service by `spec` as planned and return the state of the new process (hold `alone`).

        A process that is `hung` gets a shorter time to end before it is killed.
        """
        self.write_spec(spec)
        self._say_hung(hung=hung)
        before = self.state()
        if not self._started_again(before):
            self._spawn()
            self._wait(lambda now: now.generation > before.generation, "start the service")
        return self.state()

    def stop(self) -> State:
        """Stop the service as planned and end its keeper (hold `alone`)."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._say_hung(hung=False)
        before = self.state()
        if self.keeper_lives(before):
            _send(before.keeper_pid, signal.SIGTERM)
            self._wait(lambda now: not self.keeper_lives(now), "stop the service")
        after = self.state()
        if self.service_lives(after):  # a system without PDEATHSIG, its keeper killed
            raise KeeperError(f"process {after.pid} runs without its keeper: end it by hand")
        if after.phase != STOPPED:
            write_state(self.folder, after._replace(phase=STOPPED, planned=True))
        return self.state()

    def command(self, *, detach: bool) -> list[str]:
        """Return the command line of the keeper; its working directory is the checkout."""
        program = [sys.executable, "-E", "-s", "-S", "-m", "monitoring.keeper"]
        return [*program, *(["--detach"] if detach else []), str(self.folder), str(self.log)]

    def write_spec(self, spec: Spec) -> None:
        """Write down what the keeper is to run at the next start."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self.folder / "spec.json", json.dumps(spec._asdict()).encode())

    def _say_hung(self, *, hung: bool) -> None:
        """Write down, or take back, what a killed worker may have left, before each order."""
        if hung:
            (self.folder / HUNG).touch()
        else:
            (self.folder / HUNG).unlink(missing_ok=True)

    def _started_again(self, before: State) -> bool:
        """Return whether a living keeper did it; one that was just ending with its service does not."""
        if not self.keeper_lives(before):
            return False
        _send(before.keeper_pid, signal.SIGHUP)
        self._wait(
            lambda now: now.generation > before.generation or not self.keeper_lives(before),
            "start the service again",
        )
        return self.state().generation > before.generation

    def _spawn(self) -> None:
        with (self.folder / "keeper.err").open("wb") as errors:
            started = _until(lambda: self._spawned(errors.fileno()), STOP_SECONDS + 1.0)
        if not started:
            reason = (self.folder / "keeper.err").read_text(errors="replace").strip()
            raise KeeperError(f"the keeper does not start: {reason[-500:]}")

    def _spawned(self, errors: int) -> bool:
        # Tried again for a moment, because an old keeper that was just told to quit may still hold the lock.
        child = subprocess.run(  # noqa: S603 - our own program
            self.command(detach=True),
            cwd=_CHECKOUT,
            env=inherited_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            check=False,
        )
        return child.returncode == 0

    def _wait(self, reached: Callable[[State], bool], what: str) -> None:
        if not _until(lambda: reached(self.state()), _ANSWER_SECONDS):
            raise KeeperError(f"the keeper did not {what} within {_ANSWER_SECONDS:g} s")


def checkout() -> Path:
    """Return the folder that the keeper's program is started in."""
    return _CHECKOUT


def inherited_environment() -> dict[str, str]:
    """Return the part of AgentOps' environment that a watched service may see."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _send(pid: int | None, number: signal.Signals) -> None:
    if pid and mark(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _until(reached: Callable[[], bool], seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > limit:
            return False
        time.sleep(_STEP)
    return True
