"""What the child does to itself between fork and exec: limits, user, Landlock, seccomp. Standard library only."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

# Relative, because inside the box this folder is mounted alone, under another name.
from . import landlock, seccomp  # noqa: TID252

LINUX = sys.platform == "linux"
_SET_DEATH_SIGNAL, _SET_DUMPABLE, _DROP_BOUNDING, _SET_NO_NEW_PRIVS, _SET_SUBREAPER = (
    1,
    4,
    24,
    38,
    36,
)
_MEGABYTE = 1 << 20
_NICENESS = 5


def prctl(option: int, value: int) -> int:
    """Make one prctl call and return its result (0 is success)."""
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0))


def guard_warden() -> None:
    """Make orphans of the box come back to this process, and keep the box from tracing it."""
    if LINUX:
        prctl(_SET_SUBREAPER, 1)
        prctl(_SET_DUMPABLE, 0)


def _give_way() -> None:
    """Let what serves people go first: pages, probes and the watched services share this machine with the box.

    Where the kernel shares time out between sessions, a process's own niceness counts only inside its session. Another
    user than root may change a session's but once in 0.1 s: of two copies side by side one would be slower.
    """
    os.nice(_NICENESS)
    if os.getuid() == 0:
        with suppress(OSError):  # no such kernel
            Path("/proc/self/autogroup").write_text(str(_NICENESS))


def enter(plan: dict[str, Any]) -> None:
    """Confine this freshly forked process as planned; raises OSError or ValueError when a wall cannot be built."""
    os.setsid()
    _give_way()
    os.chdir(plan["workdir"])
    _limit(plan["limits"])
    if plan["uid"] is not None and os.getuid() == 0:
        become(plan["uid"])
    elif LINUX and os.getuid() == 0:
        _drop_capabilities()
    if LINUX:
        _wall(plan)
    os.closerange(3, 4096)


def become(uid: int) -> None:
    """Change from root to an unprivileged user and group of the same number, with no way back."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _drop_capabilities() -> None:
    # Root that cannot become another user keeps its number but, after exec, none of its powers.
    for capability in range(64):
        if prctl(_DROP_BOUNDING, capability) != 0:
            break


def _wall(plan: dict[str, Any]) -> None:
    prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    prctl(_SET_NO_NEW_PRIVS, 1)
    abi = plan["landlock_abi"]
    if plan["level"] == "landlock":
        landlock.restrict(
            readable=plan["readable"], writable=plan["writable"], port=plan["port"], level=abi
        )
    if plan["level"] != "rlimits" and seccomp.SUPPORTED:
        bare = plan["level"] == "landlock"
        seccomp.restrict(
            streams_only=bare, no_signals=bare and abi < 6, no_connect=bare and abi < 4
        )


def _limit(limits: dict[str, int]) -> None:
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: limits["cpu_seconds"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_NPROC: limits["processes"],
    }
    if LINUX:  # elsewhere address space is not limited honestly
        wanted[resource.RLIMIT_AS] = max(limits["memory_bytes"], 64 * _MEGABYTE)
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
