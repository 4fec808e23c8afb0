"""Patterns decide which files the agent may write: each line here is a path that must, or must not, be reachable."""

from __future__ import annotations

import pytest

from monitoring.globs import matches, safe_relative


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.py", "server.py", True),
        ("*.py", "app/server.py", False),
        ("**/*.py", "server.py", True),
        ("**/*.py", "app/deep/er/server.py", True),
        ("**.py", "app/server.py", True),
        ("app/**", "app/a/b.txt", True),
        ("app/**", "app", False),
        ("app/**", "application/x", False),
        ("app/**/x.py", "app/x.py", True),
        ("app/**/x.py", "app/a/b/x.py", True),
        ("config.json", "config.json", True),
        ("config.json", "configXjson", False),
        ("config.?son", "config.json", True),
        ("a?b", "a/b", False),
        ("[ab].txt", "a.txt", True),
        ("[!ab].txt", "a.txt", False),
        ("[!a]x", "/x", False),
        ("[z-a].txt", "b.txt", False),
        ("[", "[", True),
        ("**", "any/thing", True),
        ("*.PY", "server.py", False),
        ("*", ".env", True),
        ("", "x", False),
    ],
)
def test_a_pattern_matches_only_what_it_says(pattern: str, path: str, *, expected: bool) -> None:
    assert matches(path, [pattern]) is expected


def test_no_pattern_matches_nothing_and_one_of_many_is_enough() -> None:
    assert not matches("a.py", [])
    assert matches("a.py", ["*.txt", "*.py"])


@pytest.mark.parametrize("path", ["a.py", "app/a.py", ".env", "a b/ü.txt", "..a/b..", "a..b"])
def test_ordinary_paths_are_safe(path: str) -> None:
    assert safe_relative(path)


NASTY = (
    "../x",
    "a/../b",
    "a//b",
    "a/",
    "./a",
    "a/.",
    "..",
    "a\\b",
    "C:x",
    "C:/x",
    "/etc/passwd",
    "",
)


@pytest.mark.parametrize(
    "path", [*NASTY, "a\x00b", "a\nb", "a\x7fb", "a\x85b", "a\ud800", "x" * 401]
)
def test_paths_that_leave_the_folder_or_hide_are_refused(path: str) -> None:
    assert not safe_relative(path)
