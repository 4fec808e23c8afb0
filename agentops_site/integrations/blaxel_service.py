"""A service inside its sandbox: where it lies, how it is seeded, started and stopped, and what is known of its process.

A note beside it (`state/SLUG.json`) says which process was started last and whether its end is planned: of that Blaxel
knows nothing. It is written before the act, so that whoever sees the end first already knows that it was meant.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

from django.conf import settings

from agentops_site.integrations import blaxel_http, blaxel_machine
from agentops_site.integrations.blaxel_inside import NO_DIRECTORY
from agentops_site.integrations.blaxel_machine import HOME, Machine, Refused
from agentops_site.integrations.breaker import VendorError
from agentops_site.integrations.isolation.relocate import relocate
from monitoring.ports import TargetError
from monitoring.values import ProcessState, ServiceSpec

MAX_SEED_BYTES = 100_000_000
STOP_SECONDS = 5.0
HUNG_STOP_SECONDS = 1.0
_LOOK_SECONDS = 3.0
_NOT_SEEDED = {".git", ".hg", ".svn", "__pycache__", ".venv", "node_modules"}


@contextlib.contextmanager
def in_words(spec: ServiceSpec) -> Iterator[None]:
    """Turn what goes wrong with Blaxel into the port's error, with the service's name."""
    try:
        yield
    except VendorError as error:
        raise TargetError(f"{spec.slug}: {error}.", permanent=error.permanent) from error
    except blaxel_http.Away as away:
        raise TargetError(f"{spec.slug}: {away}.") from away


def machine_of() -> Machine:
    """Return the persistent sandbox of the services, made when it is missing."""
    return blaxel_machine.find_or_make(
        settings.BLAXEL_SANDBOX,
        {
            "image": settings.BLAXEL_IMAGE,
            "memory": settings.BLAXEL_MEMORY_MB,
            "region": settings.BLAXEL_REGION,
            "ports": [{"target": settings.BLAXEL_PORT, "protocol": "HTTP"}],
        },
    )


def place_of(directory: str) -> str:
    """Return where the service of a directory lies in the sandbox, relative to our folder."""
    name = re.sub(r"[^a-z0-9]+", "-", Path(directory).name.lower()).strip("-") or "service"
    return f"services/{name[:30]}-{hashlib.sha256(directory.encode()).hexdigest()[:8]}"


def files_of(spec: ServiceSpec) -> dict[str, Any]:
    """Return the service's files as `blaxel_inside` wants them named."""
    return {
        "slug": spec.slug,
        "directory": place_of(spec.directory),
        "editable_globs": spec.editable_globs,
        "data_globs": spec.data_globs,
    }


def note_of(spec: ServiceSpec) -> dict[str, Any]:
    """Return the note on the last start: name, generation, planned. Empty when there was none. Raises Away."""
    path = f"/filesystem/{HOME}/state/{spec.slug}.json"
    try:
        found = blaxel_http.look(settings.BLAXEL_SANDBOX, path, _LOOK_SECONDS)
    except blaxel_http.NoSandbox:
        return {}
    if not found:
        return {}
    try:
        note = json.loads(found["content"])
        return {
            "name": str(note["name"]),
            "generation": int(note["generation"]),
            "planned": bool(note["planned"]),
        }
    except (KeyError, ValueError, TypeError) as error:
        raise blaxel_http.Away("our note on the process is not understood") from error


def kilobytes(path: str, name: str) -> int:
    """Return a figure of the sandbox's /proc, read as a file. Raises Away."""
    found = blaxel_http.look(settings.BLAXEL_SANDBOX, f"/filesystem/{path}", _LOOK_SECONDS) or {}
    match = re.search(rf"^{name}:\s+(\d+) kB", str(found.get("content", "")), re.MULTILINE)
    if match is None:
        raise blaxel_http.Away(f"{path} does not say {name}")
    return int(match[1])


def state_of(note: Mapping[str, Any], found: Mapping[str, Any]) -> ProcessState:
    """Return the state that note and API together tell; an unknown process ended with its sandbox."""
    generation, status = note["generation"], found.get("status", "missing")
    started = _seconds(found.get("startedAt"))
    if status == "running":
        pid = int(found["pid"]) if str(found.get("pid", "")).isdigit() else None
        return ProcessState(phase="running", pid=pid, started_at=started, generation=generation)
    code = found.get("exitCode") if status in {"completed", "failed"} else None
    # The API gives -1 for every signal; the one that nobody here sends is the kernel's, for want of memory.
    signal = {"killed": SIGKILL, "stopped": SIGTERM}.get(status, SIGKILL if code == -1 else None)
    return ProcessState(
        phase="stopped" if note["planned"] else "exited",
        started_at=started,
        exit_code=code if isinstance(code, int) and signal is None else None,
        signal=int(signal) if signal else None,
        generation=generation,
    )


def _seconds(date: object) -> float | None:
    try:
        return parsedate_to_datetime(str(date)).timestamp()
    except ValueError:
        return None


def launch(machine: Machine, spec: ServiceSpec, generation: int) -> None:
    """Start the service's process under a name of its own; seed the service first when it is not there."""
    if not spec.command:
        raise TargetError(f"{spec.slug}: it has no start command.", permanent=True)
    seed(machine, spec)
    where = f"{HOME}/{place_of(spec.directory)}"
    name = f"{spec.slug}-{generation}-{int(time.time())}"
    machine.note(
        f"state/{spec.slug}.json", {"name": name, "generation": generation, "planned": False}
    )
    machine.start(
        name,
        command_line(spec.command, spec.port, spec.directory, where),
        working_dir=where,
        env=environment(spec.environment, spec.port, spec.directory, where),
        keep_alive=settings.BLAXEL_KEEP_ALIVE,
        timeout=0,
    )


def command_line(command: tuple[str, ...], port: int, directory: str, where: str) -> str:
    """Return a line for the sandbox's shell that becomes the process, both outputs in one log in true order."""
    words = [_moved(word.replace("{port}", str(port)), directory, where) for word in command]
    return f"exec {shlex.join(words)} 2>&1"


def environment(given: Mapping[str, str], port: int, directory: str, where: str) -> dict[str, str]:
    """Return the variables of a process in a sandbox: the gateway reaches only what listens on all addresses."""
    ours = {"PYTHONUNBUFFERED": "1", "PORT": str(port), "HOST": "0.0.0.0"}  # noqa: S104 - in the sandbox
    return {**ours, **{name: _moved(value, directory, where) for name, value in given.items()}}


def _moved(value: str, directory: str, where: str) -> str:
    return relocate(value, Path(directory), Path(where)) if directory else value


def stop(machine: Machine, spec: ServiceSpec, *, hung: bool = False) -> int:
    """End the process as planned, by force when it does not end in time (sooner when it is hung); return its generation."""
    note = note_of(spec)
    if not note:
        return 0
    name = note["name"]
    if machine.status(name) == "running":
        machine.note(f"state/{spec.slug}.json", {**note, "planned": True})
        machine.stop(name)
        if not await_end(machine, name, HUNG_STOP_SECONDS if hung else STOP_SECONDS):
            machine.kill(name)
            await_end(machine, name, 1.0)
    return int(note["generation"])


def await_end(machine: Machine, name: str, seconds: float) -> bool:
    """Return whether the process ended within the time."""
    limit = time.monotonic() + seconds
    while _runs(machine, name):
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    return True


def _runs(machine: Machine, name: str) -> bool:
    found = blaxel_http.look(machine.name, f"/process/{name}", _LOOK_SECONDS) or {}
    return found.get("status") == "running" or _is_ending(found)


def _is_ending(found: Mapping[str, Any]) -> bool:
    """Return whether it was told to end and has not: the API sets the word first, the time when it is over."""
    return found.get("status") in {"killed", "stopped"} and not found.get("completedAt")


def inside_seeded(
    machine: Machine, spec: ServiceSpec, command: str, args: Mapping[str, Any]
) -> dict[str, Any]:
    """Run a command of our helper; seed the service and try again when it is not there."""
    try:
        return machine.inside(command, args)
    except Refused as error:
        if str(error) != NO_DIRECTORY:
            raise
    seed(machine, spec)
    return machine.inside(command, args)


def seed(machine: Machine, spec: ServiceSpec) -> None:
    """Have the service's folder in the sandbox: from its directory on this machine, once; it is never overwritten."""
    place = {"directory": place_of(spec.directory)}
    if machine.inside("exists", place)["existed"]:
        return
    bundles = [machine.send(_seeds(spec))]
    machine.inside("unpack", {**place, "bundles": bundles}, seconds=60)


def _seeds(spec: ServiceSpec) -> dict[str, bytes]:
    top = Path(spec.directory)
    if not top.is_dir():
        message = f"{spec.slug}: there is no directory {spec.directory!r} to seed the sandbox from."
        raise TargetError(message, permanent=True)
    files: dict[str, bytes] = {}
    size = 0
    for folder, names, entries in os.walk(top):
        names[:] = [name for name in names if name not in _NOT_SEEDED]
        for path in (Path(folder, name) for name in entries):
            if path.is_symlink() or not path.is_file():
                continue
            files[path.relative_to(top).as_posix()] = path.read_bytes()
            size += len(files[path.relative_to(top).as_posix()])
            if size > MAX_SEED_BYTES:
                message = (
                    f"{spec.slug}: its directory holds more than {MAX_SEED_BYTES // 1_000_000} MB."
                )
                raise TargetError(message, permanent=True)
    return files
