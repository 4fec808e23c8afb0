"""Sees that a service's files were edited: a config that is read again when it changes breaks without any restart."""

from __future__ import annotations

import os
from pathlib import Path

from monitoring.globs import SKIPPED_FOLDERS, matches
from monitoring.values import ServiceSpec

MOST_ENTRIES = 500
"""A larger tree is not looked at every second; its schedule has to do."""


def stamp(spec: ServiceSpec) -> int | None:
    """Return a number that changes when an editable file appears, changes or goes; one `stat` a file, nothing is read.

    None for a directory that is not there or holds too much.
    """
    seen, entries = [], 0
    for folder, folders, names in os.walk(spec.directory):
        entries += len(folders) + len(names)
        if entries > MOST_ENTRIES:
            return None
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in names:
            path = Path(folder, name)
            relative = path.relative_to(spec.directory).as_posix()
            if matches(relative, spec.editable_globs) and not matches(relative, spec.data_globs):
                seen.append((relative, _facts(path)))
    return hash(tuple(sorted(seen))) if entries else None


def _facts(path: Path) -> tuple[int, int]:
    try:
        found = path.lstat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
