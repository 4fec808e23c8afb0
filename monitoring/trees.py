"""Looks at a service's files without reading them: has anything changed, and when did code last change."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from monitoring.globs import matches
from monitoring.values import ServiceSpec

MAX_ENTRIES = 20_000
_SKIPPED = {".git", ".hg", ".svn", "__pycache__", ".venv", "node_modules"}
# Files that a service reads while it runs. Anything else counts as code, which only a new process picks up.
_READ_LIVE = {".json", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf", ".env", ".txt", ".csv"}
_READ_LIVE |= {".html", ".css", ".md", ".xml", ".sql", ".properties"}


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one walk saw. `changed_at` maps each file to when it last changed, in seconds since the epoch."""

    signature: str
    changed_at: Mapping[str, float]

    def newest_code(self, unchanged: frozenset[str] = frozenset()) -> float:
        """Return when code last changed, not counting the given paths; 0 without any code."""
        times = (
            at for path, at in self.changed_at.items() if is_code(path) and path not in unchanged
        )
        return max(times, default=0.0)


def is_code(path: str) -> bool:
    """Return whether a change of this file takes a restart to go live."""
    return PurePosixPath(path).suffix.lower() not in _READ_LIVE


def look(spec: ServiceSpec) -> Look:
    """Walk a local service's editable files (never through a symlink) and return their signature.

    The signature covers path, size, mtime, ctime and inode of each file and the environment. A change is timed by
    ctime, which the kernel sets: a file put in place with an old mtime (cp -p, rsync, tar) still counts as new.
    """
    digest = hashlib.sha256(json.dumps(dict(spec.environment), sort_keys=True).encode())
    changed_at: dict[str, float] = {}
    for path, entry in _files(spec):
        facts = (path, entry.st_size, entry.st_mtime_ns, entry.st_ctime_ns, entry.st_ino)
        digest.update(repr(facts).encode())
        changed_at[path] = entry.st_ctime
    return Look(signature=digest.hexdigest(), changed_at=changed_at)


def _files(spec: ServiceSpec) -> Iterator[tuple[str, os.stat_result]]:
    seen = 0
    folders = [""]
    while folders:
        folder = folders.pop()
        for entry in _entries(os.path.join(spec.directory, folder)):  # noqa: PTH118 (per file, on a hot path)
            seen += 1
            if seen > MAX_ENTRIES:
                return
            path = f"{folder}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                folders += [] if entry.name in _SKIPPED else [f"{path}/"]
            elif entry.is_file(follow_symlinks=False) and _is_editable(spec, path):
                yield path, entry.stat(follow_symlinks=False)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """Return what a folder holds, in a fixed order; nothing of one that is gone or closed to us."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _is_editable(spec: ServiceSpec, path: str) -> bool:
    return matches(path, spec.editable_globs) and not matches(path, spec.data_globs)
