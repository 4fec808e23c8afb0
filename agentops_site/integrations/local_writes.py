"""Writing a local service's files: all of them or none, never outside its globs, never through a symlink."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from agentops_site.integrations.local_tree import (
    DRAFT_PREFIX,
    FOLDER,
    is_editable,
    opened_directory,
    read_regular,
)
from monitoring.ports import TargetError
from monitoring.values import ServiceSpec


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
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.name, dir_fd=self.folder)
        _forget_compiled(self.folder, self.name)


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
    return os.open(name, FOLDER, dir_fd=parent)


def _facts(folder: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _draft(folder: int, data: bytes, facts: os.stat_result | None) -> str:
    """Write the bytes under a passing name, on disk, with the old file's mode and owner, and return the name."""
    name = f"{DRAFT_PREFIX}{secrets.token_hex(8)}"
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


def _forget_compiled(folder: int, name: str) -> None:
    """Remove a Python file's compiled form.

    Python takes it for current when second and size of the source agree: a change of one letter within a second of
    the last start would be deployed and never run.
    """
    stem, dot, suffix = name.rpartition(".")
    if not dot or suffix != "py":
        return
    try:
        compiled = os.open("__pycache__", FOLDER, dir_fd=folder)
    except OSError:
        return
    try:
        with os.scandir(compiled) as entries:
            names = [entry.name for entry in entries]
        for entry in names:
            if entry.startswith(f"{stem}.") and entry.endswith(".pyc"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(entry, dir_fd=compiled)
    finally:
        os.close(compiled)


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
