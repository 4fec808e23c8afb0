"""The patient stands alone: it imports nothing of ours or of others, and nobody imports it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.target_app.shop import SOURCE

REPOSITORY = SOURCE.parent
MODULES = sorted(SOURCE.rglob("*.py"))
LOCAL = {path.stem for path in MODULES}
OWN_FOLDERS = ("agentops_site", "bench", "incidents", "monitoring", "shop", "teams", "tests")


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of each module that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_imports_the_standard_library_and_its_siblings_only(path: Path) -> None:
    names = {name.partition(".")[0] for name in imported(path)}
    assert names
    assert names <= sys.stdlib_module_names | LOCAL


def test_no_module_hides_one_of_the_standard_library() -> None:
    assert {"server", "handler", "store"} <= LOCAL
    assert LOCAL.isdisjoint(sys.stdlib_module_names)


def test_nothing_else_in_the_repository_imports_it() -> None:
    files = [path for folder in OWN_FOLDERS for path in (REPOSITORY / folder).rglob("*.py")]
    files += [REPOSITORY / "manage.py", REPOSITORY / "celery_app.py", REPOSITORY / "agentops"]
    files = [path for path in files if path.exists()]
    assert files
    importers = [
        path
        for path in files
        if any(name.partition(".")[0] == "target_app" for name in imported(path))
    ]
    assert importers == []
