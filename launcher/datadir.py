"""What the launcher keeps in the data folder: who runs there, and whether it is a demo."""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path

from launcher.console import LauncherError, note
from launcher.layout import Layout, write_private

# The guard of a killed launcher still cleans up for some seconds; a start meanwhile waits for it.
CLEAN_UP_SECONDS = 20.0


# Any command (`manage`, a type check) leaves these; they do not make a data folder somebody's.
LEFT_BY_ANY_COMMAND = {"run", "logs", "secret-key"}


def is_fresh(data: Path) -> bool:
    """Say whether a data folder holds nothing of anybody yet."""
    return not data.is_dir() or {path.name for path in data.iterdir()} <= LEFT_BY_ANY_COMMAND


def demo_mode(layout: Layout, *, asked: bool | None) -> bool:
    """Return whether this is a demo: as asked, else as last time, else only when the folder is new."""
    if asked is not None:
        return asked
    try:
        remembered = json.loads(memory(layout).read_text(encoding="utf-8"))
        return remembered["demo"] is True
    except FileNotFoundError:
        return is_fresh(layout.data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LauncherError(
            f"{layout.shown(memory(layout))} is damaged ({error}).\n"
            "Say which mode is meant: ./agentops up --demo, or ./agentops up --no-demo"
        ) from error


def remember_demo(layout: Layout, *, demo: bool) -> None:
    write_private(memory(layout), json.dumps({"demo": demo}) + "\n")


def memory(layout: Layout) -> Path:
    return layout.data / "launcher.json"


def take_lock(layout: Layout, address: str) -> int:
    """Take the data folder for this launcher and return the descriptor that holds it.

    The system lets go of it when the launcher ends, however it ends.

    Raises:
        LauncherError: another launcher runs there.
    """
    descriptor = os.open(layout.run / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    if not locked(descriptor):
        holder = read_holder(descriptor)
        os.close(descriptor)
        raise LauncherError(
            f"AgentOps is already running, {holder} (data in {layout.shown(layout.data)})."
        )
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"pid {os.getpid()}, at {address}".encode(), 0)
    return descriptor


def take_guard_lock(layout: Layout) -> int:
    """Return the descriptor of a lock that the guard of this run is to hold, and nobody else.

    While the guard of a killed launcher still has it, its processes are being cleared away; two stacks on one
    database must not overlap, so this waits.

    Raises:
        LauncherError: that does not come to an end.
    """
    descriptor = os.open(layout.run / "guard.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + CLEAN_UP_SECONDS
    waiting = False
    while not locked(descriptor):
        if not waiting:
            note("The last run was killed; waiting until its processes are cleared away.")
            waiting = True
        if time.monotonic() > deadline:
            os.close(descriptor)
            raise LauncherError(
                f"The processes of the last run are still being stopped after {CLEAN_UP_SECONDS:g} s; "
                f"see {layout.shown(layout.logs / 'guard.log')}, then try again."
            )
        time.sleep(0.1)
    return descriptor


def locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_holder(descriptor: int) -> str:
    """Return "pid N, at ADDRESS" as the holder wrote it."""
    return os.pread(descriptor, 1000, 0).decode("utf-8", "replace") or "just starting"
