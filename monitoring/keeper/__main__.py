"""`python -E -s -S -m monitoring.keeper [--detach] FOLDER LOG`: see the package."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from monitoring.keeper.log import RotatingLog
from monitoring.keeper.loop import Keeper

REFUSED = 3


def main(arguments: list[str]) -> int:
    """Keep one service; return 3 when another keeper already does."""
    detach = arguments[:1] == ["--detach"]
    folder, log = (Path(text) for text in arguments[detach:])
    # The descriptor stays open as long as the keeper lives: the kernel lets go of the lock when it dies.
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{folder.name}: another keeper has it already", file=sys.stderr)  # noqa: T201
        return REFUSED
    if detach and os.fork():
        os._exit(0)  # the keeper belongs to init now: no worker's end can reach it
    if detach:
        os.setsid()
    os.chdir("/")
    Keeper(folder, RotatingLog(log)).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
