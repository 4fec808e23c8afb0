"""Becomes a check command that reads: limits, no new rights, and Landlock where the kernel has it. Standard library only."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys

# Relative, because this folder alone is on the path of the process that runs it.
from . import confine, landlock  # noqa: TID252

_NO_NEW_PRIVILEGES = 38
_FILE_BYTES = 64_000_000


def main(text: str) -> None:
    """Confine this process as the plan (JSON) says and become its command; end with 126 when it cannot be started."""
    plan = json.loads(text)
    command: list[str] = plan["command"]
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec would keep that
        signal.signal(number, signal.SIG_DFL)
    try:
        os.chdir(plan["directory"])
        _limit(int(plan["seconds"]) + 1)
        if plan["landlock_abi"]:
            confine.prctl(_NO_NEW_PRIVILEGES, 1)
            landlock.restrict(
                readable=["/"],
                writable=plan["writable"],
                port=plan["port"],
                level=plan["landlock_abi"],
            )
        os.execvp(command[0], command)  # noqa: S606 - no shell is the point
    except (OSError, ValueError) as error:
        os.write(2, f"the check could not start {command[0]}: {error}\n".encode())
    sys.exit(126)


def _limit(seconds: int) -> None:
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
    ):
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
