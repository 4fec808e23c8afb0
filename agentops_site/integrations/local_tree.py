"""Reading a local service's files, only inside its globs and never through a symlink.

Every step below the service's directory is opened relative to the folder before it and with O_NOFOLLOW: a check of
a path followed by an open of the same path could be beaten by a service that swaps a folder for a link in between.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import PurePosixPath

from monitoring.globs import SKIPPED_FOLDERS, matches, safe_relative
from monitoring.ports import TargetError
from monitoring.values import ServiceSpec, Tree

MAX_FILE_BYTES = 2_000_000
MAX_TREE_BYTES = 50_000_000
MAX_ENTRIES = 50_000
DRAFT_PREFIX = ".agentops-"
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def is_editable(spec: ServiceSpec, path: str) -> bool:
    """Return whether a fix may touch this path: inside the editable globs and outside the data globs."""
    return (
        safe_relative(path)
        and not PurePosixPath(path).name.startswith(DRAFT_PREFIX)
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
                if entry.name not in SKIPPED_FOLDERS:
                    self._enter(folder, entry.name, f"{path}/")
            elif entry.is_file(follow_symlinks=False) and is_editable(self._spec, path):
                self._take(folder, entry.name, path)

    def _enter(self, folder: int, name: str, prefix: str) -> None:
        with self._vanishing(prefix):
            inner = os.open(name, FOLDER, dir_fd=folder)
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
