"""The private folders of boxes: made, locked while in use, removed, and swept when their owner died."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from agentops_site.integrations.isolation import cage
from agentops_site.integrations.isolation.levels import Level

_STALE_LOCK_SECONDS = 3600.0


@dataclass(frozen=True, kw_only=True)
class Folder:
    """One box's folder `top`, with `work` (the copy), `scratch` (its TMPDIR) and `log` in it."""

    top: Path
    lock: IO[str]

    @property
    def work(self) -> Path:
        """Return the folder that holds the copy of the service."""
        return self.top / "work"

    @property
    def scratch(self) -> Path:
        """Return the folder for the copy's temporary files."""
        return self.top / "scratch"

    @property
    def log(self) -> Path:
        """Return the file that takes the copy's output."""
        return self.top / "log"

    def remove(self) -> None:
        """Delete everything; harmless when repeated."""
        _remove(self.top)
        _lock_path(self.top).unlink(missing_ok=True)
        self.lock.close()


def make(base: Path, level: Level) -> Folder:
    """Return a new locked folder below `base`, readable by its owner only.

    A box without own mounts whose user is not ours must pass through the folders above it; where it could not, the
    machine's temporary folder is used instead of `base`.
    """
    shared = level is not Level.NAMESPACES and cage.can_change_user()
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    if shared:
        base = _passable(base)
    top = base / f"box-{os.getpid()}-{os.urandom(8).hex()}"
    lock = _lock_path(top).open("w")
    fcntl.flock(
        lock, fcntl.LOCK_EX
    )  # before the folder exists, so that no sweep takes it for a dead one
    top.mkdir(mode=0o711 if shared else 0o700)
    folder = Folder(top=top, lock=lock)
    folder.work.mkdir(mode=0o700)
    folder.scratch.mkdir(mode=0o700)
    return folder


def _passable(base: Path) -> Path:
    if cage.open_to_all(base):
        base.chmod(0o711)
        return base
    other = _second_place()
    with suppress(FileExistsError):
        other.mkdir(mode=0o711)
    return other if _is_ours(other) else base


def _second_place() -> Path:
    return Path(tempfile.gettempdir()) / "agentops-trials"


def _is_ours(path: Path) -> bool:
    # Somebody else's folder of that name could swap our files: then rather stay where only root can look.
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return found.st_uid == os.geteuid() and stat.S_ISDIR(found.st_mode)


def sweep(base: Path) -> int:
    """Remove what dead owners left below `base`, processes first, and return how many boxes that were."""
    removed = _sweep_one(base)
    other = _second_place()
    if cage.can_change_user() and _is_ours(other):
        removed += _sweep_one(other)
    return removed


def _sweep_one(base: Path) -> int:
    removed = 0
    for top in base.glob("box-*"):
        if top.suffix == ".lock" or not top.is_dir():
            continue
        with _lock_path(top).open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            kill_inside(top)
            _remove(top)
            _lock_path(top).unlink(missing_ok=True)
            removed += 1
    _forget_old_locks(base)
    return removed


def _forget_old_locks(base: Path) -> None:
    for lock in base.glob("box-*.lock"):
        with suppress(FileNotFoundError):
            old = time.time() - lock.stat().st_mtime > _STALE_LOCK_SECONDS
            if old and not lock.with_suffix("").exists():
                lock.unlink()


def kill_inside(top: Path) -> None:
    """Kill every process that works below a folder: for a box whose warden was stopped or killed by what it guards."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(top):
                process.kill()


def _lock_path(top: Path) -> Path:
    return top.with_name(f"{top.name}.lock")


def _remove(top: Path) -> None:
    shutil.rmtree(top, onerror=_unlock_and_retry)
    with suppress(FileNotFoundError):
        top.rmdir()


def _unlock_and_retry(function: Callable[..., Any], path: str, _: object) -> None:
    # A copy may have taken its own folders' permissions away.
    with suppress(OSError):
        Path(path).parent.chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(0o700)
            shutil.rmtree(path, ignore_errors=True)
        else:
            function(path)
