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
CLEAN_UP_SECONDS = 15.0


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

    The system lets go of it when the last process that has the descriptor ends, however it ends.

    Raises:
        LauncherError: another launcher runs there.
    """
    path = layout.run / "up.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + CLEAN_UP_SECONDS
    waited = False
    while not locked(descriptor):
        holder = read_holder(descriptor)
        if is_alive(holder[0]) or time.monotonic() > deadline:
            os.close(descriptor)
            raise LauncherError(
                f"AgentOps is already running, pid {holder[0]}, at {holder[1]} (data in {layout.shown(layout.data)}).\n"
                f"Stop it with: kill {holder[0]}"
            )
        if not waited:
            note("The last run was killed; waiting until its processes are cleared away.")
            waited = True
        time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps([os.getpid(), address]).encode(), 0)
    return descriptor


def locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_holder(descriptor: int) -> tuple[int, str]:
    """Return pid and address of the holder; a holder that has not written them yet is pid 0, taken as alive."""
    try:
        pid, address = json.loads(os.pread(descriptor, 1000, 0))
        return int(pid), str(address)
    except (ValueError, TypeError):
        return 0, "an address not known yet"


def is_alive(pid: int) -> bool:
    if pid == 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
