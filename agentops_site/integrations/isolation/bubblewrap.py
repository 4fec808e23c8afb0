"""The command line for bubblewrap: own mount, network, process, IPC and (unless root) user namespaces."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from agentops_site.integrations.isolation import cage

_TMP = "/tmp"  # noqa: S108 - the one inside the box, private to it
PACKAGE = Path(__file__).parent
MOUNTED_AT = "/run/agentops"
"""Where the warden's folder is seen inside: under a name that says nothing about the host."""


@lru_cache(maxsize=1)
def program() -> str | None:
    """Return the path of bubblewrap, None when it is not installed."""
    return shutil.which("bwrap")


def arguments(launch: cage.Launch, readable: Iterable[str]) -> list[str]:
    """Return the bubblewrap command up to and without the program that it is to run."""
    readable = list(readable)
    return [
        program() or "bwrap",
        *_namespaces(),
        *("--hostname", "trial", "--clearenv"),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--size", str(launch.limits.scratch_bytes), "--tmpfs", "/dev/shm"),  # noqa: S108 - inside the box
        *("--size", str(launch.limits.scratch_bytes), "--perms", "1777", "--tmpfs", _TMP),
        *_parents([*readable, str(launch.workdir)]),
        *(part for path in _outermost(readable) for part in _read_only(path)),
        *("--ro-bind", str(PACKAGE), f"{MOUNTED_AT}/isolation"),
        *("--bind", str(launch.workdir), str(launch.workdir)),
        *("--chdir", "/", "--"),
    ]


def _namespaces() -> Iterator[str]:
    yield from ("--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts")
    if os.geteuid() == 0:
        # A user namespace of root's would map one user only. Without it the warden can become a real unprivileged
        # user inside, and files below a private home are mounted before it does.
        yield from ("--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID")
    else:
        yield "--unshare-user"


def _read_only(path: str) -> tuple[str, ...]:
    if Path(path).is_symlink() and path in cage.SYSTEM:
        return ("--symlink", str(Path(path).readlink()), path)
    return ("--ro-bind", path, path)


def _outermost(paths: Iterable[str]) -> list[str]:
    """Return the paths that lie below none of the others: a mount inside a read-only mount is not possible."""
    kept: list[str] = []
    for path in sorted(paths, key=len):
        if not any(Path(path).is_relative_to(above) for above in kept):
            kept.append(path)
    return kept


def _parents(paths: Iterable[str]) -> Iterator[str]:
    # bubblewrap makes missing parents with the host's mode; below /root nobody could pass them.
    seen = dict.fromkeys(
        str(above) for path in paths for above in reversed(Path(path).parents) if str(above) != "/"
    )
    for parent in seen:
        made = any(Path(parent).is_relative_to(system) for system in cage.SYSTEM)
        if not made and parent != _TMP:
            yield from ("--perms", "0755", "--dir", parent)
