"""Reading and writing a local service's files, only inside its globs and never through a symlink.

Every step below the service's directory is opened relative to the folder before it and with O_NOFOLLOW: a check of
a path followed by an open of the same path could be beaten by a service that swaps a folder for a link in between.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from monitoring.globs import matches, safe_relative
from monitoring.ports import TargetError
from monitoring.values import ServiceSpec, Tree

MAX_FILE_BYTES = 2_000_000
MAX_TREE_BYTES = 50_000_000
MAX_ENTRIES = 50_000
_DRAFT_PREFIX = ".agentops-"
# Never a fix's business, and large enough to make every reading slow.
_SKIPPED_FOLDERS = {".git", ".hg", ".svn", "__pycache__", ".venv", "node_modules"}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def is_editable(spec: ServiceSpec, path: str) -> bool:
    """Return whether a fix may touch this path: inside the editable globs and outside the data globs."""
    return (
        safe_relative(path)
        and not PurePosixPath(path).name.startswith(_DRAFT_PREFIX)
        and matches(path, spec.editable_globs)
        and not matches(path, spec.data_globs)
    )


@contextlib.contextmanager
def opened_directory(spec: ServiceSpec) -> Iterator[int]:
    """Open the service's directory. Raises TargetError when it is missing, a file, or not ours to read."""
    try:
        # The directory itself may be reached through a link: that one was set by a manager.
        descriptor = os.open(spec.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"{spec.slug}: directory {spec.directory!r} cannot be opened: {reason}."
        raise TargetError(message, permanent=True) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_tree(spec: ServiceSpec) -> Tree:
    """Return path -> bytes of every editable regular file of at most 2 MB.

    Files that vanish meanwhile are left out. Raises TargetError when one cannot be read, or when the globs take in
    more than 50 MB or 50,000 directory entries.
    """
    with opened_directory(spec) as root:
        return _Reading(spec).read(root)


class _Reading:
    """One walk through a service's files, with what it has cost so far."""

    def __init__(self, spec: ServiceSpec) -> None:
        self._spec = spec
        self._tree: dict[str, bytes] = {}
        self._bytes = 0
        self._entries = 0

    def read(self, root: int) -> Tree:
        self._walk(root, "")
        return dict(sorted(self._tree.items()))

    def _walk(self, folder: int, prefix: str) -> None:
        with os.scandir(folder) as entries:
            found = list(entries)
        self._entries += len(found)
        if self._entries > MAX_ENTRIES:
            raise self._too_much(f"{MAX_ENTRIES} files and folders")
        for entry in found:
            path = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED_FOLDERS:
                    self._enter(folder, entry.name, f"{path}/")
            elif entry.is_file(follow_symlinks=False) and is_editable(self._spec, path):
                self._take(folder, entry.name, path)

    def _enter(self, folder: int, name: str, prefix: str) -> None:
        with self._vanishing(prefix):
            inner = os.open(name, _FOLDER, dir_fd=folder)
            try:
                self._walk(inner, prefix)
            finally:
                os.close(inner)

    def _take(self, folder: int, name: str, path: str) -> None:
        with self._vanishing(path):
            data = read_regular(folder, name)
            if data is None:
                return
            self._bytes += len(data)
            if self._bytes > MAX_TREE_BYTES:
                raise self._too_much(f"{MAX_TREE_BYTES // 1_000_000} MB")
            self._tree[path] = data

    @contextlib.contextmanager
    def _vanishing(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # Gone, or replaced by a link or a file since it was listed: it was not there to be read.
            if error.errno not in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO}:
                raise TargetError(
                    f"{self._spec.slug}: {path} cannot be read: {error.strerror}."
                ) from error

    def _too_much(self, limit: str) -> TargetError:
        message = f"{self._spec.slug}: the editable globs take in more than {limit}; narrow them."
        return TargetError(message, permanent=True)


def read_regular(folder: int, name: str) -> bytes | None:
    """Return a regular file's bytes, or None when it is something else or too large. Raises OSError."""
    # O_NONBLOCK: a FIFO put in the place of a file would otherwise wait for a writer for ever.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_FILE_BYTES:
            return None
        data = file.read(MAX_FILE_BYTES + 1)
    return data if len(data) <= MAX_FILE_BYTES else None


def write_files(spec: ServiceSpec, files: Mapping[str, bytes | None]) -> None:
    """Write (or for None delete) all files, or none: drafts first, then renames, undone when one fails.

    Raises TargetError: permanent for a path that may not be written, passing for an error of the disk.
    """
    refused = sorted(path for path in files if not is_editable(spec, path))
    if refused:
        message = f"{spec.slug}: outside the editable files: {', '.join(map(repr, refused))}."
        raise TargetError(message, permanent=True)
    with opened_directory(spec) as root, contextlib.ExitStack() as folders:
        changes: list[_Change] = []
        try:
            for path, data in files.items():
                changes.append(_located(root, path, folders))
                changes[-1].prepare(path, data)
            _commit(changes)
        except OSError as error:
            raise _refusal(spec, error) from error
        finally:
            for change in changes:
                change.discard()


@dataclass(kw_only=True)
class _Change:
    """One file's replacement: its folder, its draft (none for a deletion) and a second draft that puts it back.

    Both are on disk before the first file changes, so that an undo needs no room and no luck.
    """

    folder: int
    name: str
    draft: str | None = None
    spare: str | None = None

    def prepare(self, path: str, data: bytes | None) -> None:
        """Put both drafts on disk."""
        facts = _facts(self.folder, self.name)
        before = _kept(self.folder, self.name, path, facts)
        self.spare = None if before is None else _draft(self.folder, before, facts)
        self.draft = None if data is None else _draft(self.folder, data, facts)

    def apply(self) -> None:
        self._put(self.draft)
        os.fsync(self.folder)

    def undo(self) -> None:
        self._put(self.spare)

    def discard(self) -> None:
        """Remove the drafts that were not used."""
        for draft in (self.draft, self.spare):
            if draft is not None:
                with contextlib.suppress(OSError):
                    os.unlink(draft, dir_fd=self.folder)

    def _put(self, draft: str | None) -> None:
        if draft is not None:
            os.rename(draft, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.name, dir_fd=self.folder)


class _NotRegular(OSError):
    """The path is a folder, a link or a device: it may not be replaced."""


def _located(root: int, path: str, folders: contextlib.ExitStack) -> _Change:
    """Return the (still empty) change of a path, its folders opened one by one and made where they are missing."""
    *parents, name = path.split("/")
    folder = root
    for part in parents:
        folder = _opened_folder(folder, part)
        folders.callback(os.close, folder)
    return _Change(folder=folder, name=name)


def _kept(folder: int, name: str, path: str, facts: os.stat_result | None) -> bytes | None:
    if facts is None:
        return None
    if not stat.S_ISREG(facts.st_mode):
        raise _NotRegular(errno.EINVAL, "not a regular file", path)
    before = read_regular(folder, name)
    if before is None:
        raise _NotRegular(errno.EFBIG, "too large to be kept for an undo", path)
    return before


def _opened_folder(parent: int, name: str) -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=parent)
    return os.open(name, _FOLDER, dir_fd=parent)


def _facts(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _draft(folder: int, data: bytes, facts: os.stat_result | None) -> str:
    """Write the bytes under a passing name, on disk, with the old file's mode and owner, and return the name."""
    name = f"{_DRAFT_PREFIX}{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            _take_over(descriptor, facts)
            os.fsync(descriptor)
    except OSError:
        os.unlink(name, dir_fd=folder)
        raise
    return name


def _take_over(descriptor: int, facts: os.stat_result | None) -> None:
    if facts is None:
        os.fchmod(descriptor, 0o644)
        return
    ours = os.fstat(descriptor)
    if (ours.st_uid, ours.st_gid) != (facts.st_uid, facts.st_gid):
        with contextlib.suppress(PermissionError):  # only root can give a file away
            os.fchown(descriptor, facts.st_uid, facts.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(facts.st_mode))
    # Python takes a compiled file for current when second and size of the source agree: a change of one letter
    # within a second of the last start would be deployed and never run.
    modified = max(time.time(), int(facts.st_mtime) + 1.0)
    os.utime(descriptor, (modified, modified))


def _commit(changes: list[_Change]) -> None:
    with contextlib.ExitStack() as undone:
        for change in changes:
            undone.callback(change.undo)
            change.apply()
        undone.pop_all()


def _refusal(spec: ServiceSpec, error: OSError) -> TargetError:
    where = f" ({error.filename})" if isinstance(error.filename, str) else ""
    permanent = error.errno in {errno.ELOOP, errno.ENOTDIR, errno.EINVAL, errno.EFBIG, errno.EISDIR}
    reason = "a link or a file stands in the way" if error.errno == errno.ELOOP else error.strerror
    return TargetError(f"{spec.slug}: nothing written{where}: {reason}.", permanent=permanent)
