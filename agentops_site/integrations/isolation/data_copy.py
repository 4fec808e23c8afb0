"""A consistent copy of a live service's data: SQLite files by the backup API, all others by copy and recheck."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from monitoring.globs import matches

_MAGIC = b"SQLite format 3\0"
_SIDE_FILES = ("-wal", "-shm", "-journal")
_TRIES = 4
_BACKUP_SECONDS = 5.0


class CopyError(Exception):
    """The data cannot be copied; `permanent` means that trying again cannot help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True, kw_only=True)
class Data:
    """Which files below `source` are data, and how many bytes of them a trial may copy."""

    source: Path
    globs: tuple[str, ...]
    max_bytes: int
    leave_out: frozenset[str] = frozenset()


def copy(data: Data, target: Path) -> str:
    """Copy the data files below `target` and return the digest of the copy (empty when there is none).

    Symbolic links, pipes and sockets are left out. Raises CopyError when the data are too large or never still.
    """
    files = dict(_data_files(data))
    total = sum(size for _, size in files.values())
    if total > data.max_bytes:
        raise CopyError(
            f"data too large for a trial: {total // 1_000_000} MB, at most {data.max_bytes // 1_000_000} MB"
            " (TRIAL_MAX_DATA_BYTES)",
            permanent=True,
        )
    done: set[str] = set()
    for name in sorted(files):
        if name not in done:
            done |= _copy_one(files[name][0], name, target)
    return _digest(target, sorted(done)) if done else ""


def _data_files(data: Data) -> Iterator[tuple[str, tuple[Path, int]]]:
    if not data.globs:
        return
    for folder, names, files in os.walk(data.source):
        names[:] = [name for name in names if not (Path(folder) / name).is_symlink()]
        for name in files:
            path = Path(folder) / name
            relative = path.relative_to(data.source).as_posix()
            if relative in data.leave_out or not matches(relative, data.globs):
                continue
            found = _look(path)
            if found is not None and stat.S_ISREG(found.st_mode):
                yield relative, (path, found.st_size)


def _look(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except FileNotFoundError:
        return None  # a temporary file that has just gone


def _copy_one(source: Path, name: str, target: Path) -> set[str]:
    """Copy one file, with its side files when it is a database, and return the names that are there now."""
    if _is_side_file(source):
        return set()
    into = target / name
    into.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    header = _header(source)
    if header.startswith(_MAGIC):
        return _copy_database(source, name, into)
    return {name} if _copy_still([source], [into]) else set()


def _is_side_file(path: Path) -> bool:
    for ending in _SIDE_FILES:
        main = path.with_name(path.name.removesuffix(ending))
        if path.name.endswith(ending) and main.exists() and _header(main).startswith(_MAGIC):
            return True
    return False


def _header(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(20)
    except FileNotFoundError:
        return b""


def _copy_database(source: Path, name: str, into: Path) -> set[str]:
    wal = source.with_name(source.name + "-wal")
    in_wal_mode = _header(source)[18:19] == b"\x02"
    # Opening a WAL database that nobody uses would create its side files, as our user, in the live folder.
    if not in_wal_mode or (wal.exists() and wal.stat().st_size):
        try:
            _backup(source, into)
        except (
            sqlite3.Error
        ):  # e.g. a hot journal, which a reader must not play back: copy it along instead
            into.unlink(missing_ok=True)
        else:
            return {name}
    return _copy_with_side_files(source, name, into)


def _copy_with_side_files(source: Path, name: str, into: Path) -> set[str]:
    endings = [""] + [end for end in ("-wal", "-journal") if Path(f"{source}{end}").exists()]
    _copy_still(
        [Path(f"{source}{end}") for end in endings], [Path(f"{into}{end}") for end in endings]
    )
    return {f"{name}{end}" for end in endings}


def _backup(source: Path, into: Path) -> None:
    limit = time.monotonic() + _BACKUP_SECONDS

    def watch(_status: int, _remaining: int, _total: int) -> None:
        if time.monotonic() > limit:
            raise CopyError(
                f"{source.name} stayed locked for {_BACKUP_SECONDS:g} s: no consistent copy"
            )

    live = sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True, timeout=1.0)
    with closing(live), closing(sqlite3.connect(into)) as own:
        own.execute("PRAGMA synchronous=OFF")  # it lives for seconds
        live.backup(own, pages=-1, progress=watch, sleep=0.02)


def _copy_still(sources: list[Path], targets: list[Path]) -> bool:
    """Copy files that must belong together; True when none changed meanwhile, False when the first is gone.

    Raises CopyError when they change faster than they can be copied.
    """
    for _ in range(_TRIES):
        try:
            before = [_mark(path) for path in sources]
            for source, target in zip(sources, targets, strict=True):
                shutil.copyfile(source, target, follow_symlinks=False)
            if before == [_mark(path) for path in sources]:
                return True
        except FileNotFoundError:
            if not sources[0].exists():
                return False
    raise CopyError(f"{sources[0].name} changes faster than it can be copied: no consistent copy")


def _mark(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ino


def _digest(target: Path, names: list[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        with (target / name).open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()
