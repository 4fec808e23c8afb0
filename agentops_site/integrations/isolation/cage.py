"""What a boxed command may see and use: the paths, the environment and the limits of one launch."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32")
# Not /etc as a whole: shadow, host keys and other services' settings live there.
ETC = tuple(
    f"/etc/{name}"
    for name in (
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "localtime",
        "timezone",
        "ssl",
        "ca-certificates",
        "pki",
        "hosts",
        "host.conf",
        "nsswitch.conf",
        "passwd",
        "group",
        "protocols",
        "services",
        "mime.types",
        "alternatives",
    )
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
LINUX = sys.platform == "linux"
_UID_FIRST, _UID_LAST = 61_200, 65_000  # systemd keeps this range for users without a name
_SHARED_ENVIRONMENT = ("TZ", "LANG", "LC_ALL")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Ceilings of one box, in seconds, bytes and counts. `processes` counts threads too, as the kernel does."""

    wall_seconds: float = 60.0
    cpu_seconds: int = 60
    memory_bytes: int = 1_000_000_000
    file_bytes: int = 256_000_000
    scratch_bytes: int = 128_000_000
    open_files: int = 1024
    processes: int = 256


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One command to run in a box.

    `workdir` is the only folder that it may write, besides `scratch` (its TMPDIR, at levels without a private /tmp).
    `readable` are further folders that it may read. Output goes to the file `log`.
    """

    command: tuple[str, ...]
    workdir: Path
    scratch: Path
    log: Path
    port: int
    environment: Mapping[str, str]
    limits: Limits = Limits()
    readable: tuple[Path, ...] = ()


def environment_for(launch: Launch, tmpdir: str) -> dict[str, str]:
    """Return the box's environment: a few harmless variables of ours, then the launch's own.

    Nothing else is inherited: the worker's environment holds the keys of every vendor.
    """
    shared = {name: os.environ[name] for name in _SHARED_ENVIRONMENT if name in os.environ}
    ours = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(launch.workdir),
        "TMPDIR": tmpdir,
        "PORT": str(launch.port),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",  # a killed process still leaves its last words in the log
        "PYTHONDONTWRITEBYTECODE": "1",  # else each module shows as a file written by the service
    }
    return ours | shared | dict(launch.environment)


def readable_paths(launch: Launch) -> list[str]:
    """Return every existing path outside the work directory that the command may read."""
    wanted = [*SYSTEM, *ETC, *map(str, _interpreter()), *map(str, launch.readable)]
    command = Path(launch.command[0])
    if command.is_absolute() and command.exists():
        wanted += map(str, _program(command))
    return [path for path in dict.fromkeys(wanted) if Path(path).exists()]


def _interpreter() -> Iterator[Path]:
    yield from _program(Path(sys.executable))
    yield Path(sys.prefix)
    yield Path(sys.base_prefix)


def _program(path: Path) -> Iterator[Path]:
    """Yield what a program needs to start: each link on the way to it, and its prefix if that is a Python's."""
    for _ in range(10):
        yield path
        prefix = path.parent.parent
        if (prefix / "pyvenv.cfg").exists() or any(prefix.glob("lib/python3*")):
            yield prefix
        if not path.is_symlink():
            return
        path = path.parent / path.readlink()


def spare_uid() -> int | None:
    """Return a user id that nothing runs as, when this process is root and may change to it; else None.

    One of its own for each box: two boxes can then neither signal, trace nor read each other, and the limit on
    processes counts this box alone.
    """
    if not can_change_user():
        return None
    taken: set[int] = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError):
            taken.add(entry.stat().st_uid)
    free = [uid for uid in range(_UID_FIRST, _UID_LAST) if uid not in taken]
    return random.SystemRandom().choice(free)


def can_change_user() -> bool:
    """Return whether this process is root with a full range of user ids (a rootless container has only one)."""
    if os.geteuid() != 0:
        return False
    try:
        maps = Path("/proc/self/uid_map").read_text().split("\n")
    except OSError:
        return False
    ranges = [tuple(map(int, line.split())) for line in maps if line.strip()]
    return any(start <= _UID_FIRST and start + count > _UID_LAST for start, _, count in ranges)


def open_to_all(path: Path) -> bool:
    """Return whether a user without a name could reach this path: every folder above it may be passed by others."""
    try:
        return all(parent.stat().st_mode & 0o001 for parent in path.absolute().parents)
    except OSError:
        return False


def threads_of_this_user() -> int:
    """Return how many threads run as this user: RLIMIT_NPROC counts them all together."""
    user = os.geteuid()
    rows = psutil.process_iter(["uids", "num_threads"])
    return sum(row.info["num_threads"] or 1 for row in rows if row.info["uids"].real == user)
