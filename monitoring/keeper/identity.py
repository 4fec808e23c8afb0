"""Tells one process from a later one that was given the same number."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

_LINUX = sys.platform == "linux"


def mark(pid: int | None) -> str:
    """Return text that no other process on this machine ever has, or "" when `pid` has ended (or is a zombie).

    On Linux it is the boot's id with the start time in clock ticks (proc(5), field 22 of stat): a process number
    alone is used again within minutes on a busy host, and means nothing after a reboot.
    """
    if not pid or pid <= 0:
        return ""
    return _linux_mark(pid) if _LINUX else _ps_mark(pid)


def is_same(pid: int | None, expected: str) -> bool:
    """Return whether the process that was marked so still runs under this number."""
    return bool(expected) and mark(pid) == expected


def _linux_mark(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = stat.rpartition(b")")[2].split()  # the name before it may hold spaces and brackets
    state, started = fields[0], fields[19]
    return "" if state in {b"Z", b"X"} else f"{_boot()}:{started.decode()}"


@functools.cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "boot"


def _ps_mark(pid: int) -> str:
    command = ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    state, _, started = answer.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else started.strip()
