"""Whether the database was prepared for exactly this code: then a start need not load Django twice to learn that."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from launcher.layout import Layout

# What the preparations read: the migrations, and what the demo is made of.
READ_BY_THEM = (
    "*/migrations/*.py",
    "*/management/commands/*.py",
    "*/demo*.py",
    "teams/default_matrix.py",
    "target_app/*",
)


def is_prepared(layout: Layout, env: Mapping[str, str], *, demo: bool) -> bool:
    """Say whether the last preparation ended well and nothing that it reads has changed since.

    Only for the embedded database, whose file lies beside the mark: of another one nobody knows who changed it.
    """
    if env.get("DATABASE_URL") or not (layout.data / "agentops.sqlite3").is_file():
        return False
    try:
        return _mark(layout).read_text(encoding="utf-8") == _digest(layout, demo=demo)
    except OSError:
        return False


def remember(layout: Layout, *, demo: bool) -> None:
    """Keep that the preparations ended well."""
    _mark(layout).write_text(_digest(layout, demo=demo), encoding="utf-8")


def _mark(layout: Layout) -> Path:
    return layout.run / "prepared"


def _digest(layout: Layout, *, demo: bool) -> str:
    found = sorted({path for pattern in READ_BY_THEM for path in layout.root.glob(pattern)})
    digest = hashlib.sha256(b"demo" if demo else b"")
    for path in found:
        if path.is_file():
            digest.update(path.relative_to(layout.root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
