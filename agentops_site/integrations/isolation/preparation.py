"""From a plan to the files and the start command of a copy."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path

from agentops_site.integrations.isolation.cage import Launch, Limits
from agentops_site.integrations.isolation.folders import Folder
from agentops_site.integrations.isolation.relocate import (
    StillLive,
    leads_into,
    relocate,
    relocated,
)
from incidents.ports import SandboxError
from incidents.values import BoxPlan
from monitoring.globs import safe_relative

_PYTHONS = {"python", "python3"}
Marks = dict[str, tuple[int, int]]


def write_tree(plan: BoxPlan, work: Path) -> None:
    """Write the plan's files below `work`; raise SandboxError for a path that leads out of it."""
    for name, content in plan.tree.items():
        if not safe_relative(name):
            raise SandboxError(
                f"no trial copy: {name!r} is not a path below the service", permanent=True
            )
        path = work / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o700 if content.startswith(b"#!") else 0o600)


def launch_of(plan: BoxPlan, folder: Folder, port: int) -> Launch:
    """Return the start of a plan in its folder, with nothing left that points at the live service; raise StillLive."""
    live = Path(plan.data_from) if plan.data_from else folder.work
    runtime = Path(plan.runtime_directory) if plan.runtime_directory else None
    return Launch(
        command=words_in(plan, plan.command, folder, port),
        workdir=folder.work,
        scratch=folder.scratch,
        log=folder.log,
        port=port,
        environment=relocated(plan.environment, live, folder.work)
        if plan.data_from
        else plan.environment,
        limits=Limits(
            wall_seconds=plan.wall_seconds,
            cpu_seconds=int(plan.wall_seconds) + 1,
            memory_bytes=plan.memory_bytes,
        ),
        readable=(runtime,) if runtime else (),
    )


def words_in(plan: BoxPlan, words: tuple[str, ...], folder: Folder, port: int) -> tuple[str, ...]:
    """Return a command as it runs in the folder's copy; raise StillLive where it points at the live service."""
    live = Path(plan.data_from) if plan.data_from else folder.work
    command = tuple(
        relocate(part.replace("{port}", str(port)), live, folder.work) for part in words
    )
    for part in command[1:]:
        if plan.data_from and leads_into(part, live, folder.work):
            raise StillLive(f"a command points into the live service: {part!r}")
    runtime = Path(plan.runtime_directory) if plan.runtime_directory else None
    return (_program(command[0], runtime), *command[1:])


def _program(name: str, runtime: Path | None) -> str:
    if runtime and (runtime / "bin" / name).exists():
        return str(runtime / "bin" / name)
    return sys.executable if name in _PYTHONS else shutil.which(name) or name


def free_port() -> int:
    """Return a port of this host that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def marks(top: Path) -> Marks:
    """Return size and time of change of every file below a folder, by relative path."""
    found = (
        (path, path.lstat()) for path in top.rglob("*") if path.is_symlink() or not path.is_dir()
    )
    return {
        path.relative_to(top).as_posix(): (stat.st_size, stat.st_mtime_ns) for path, stat in found
    }
