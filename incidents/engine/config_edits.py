"""Puts one config value back by an edit of its text, where a whole line would take other people's changes along."""

from __future__ import annotations

import json
import re

from incidents.engine.configs import Changed
from incidents.engine.hunks import Hunk
from incidents.engine.lines import as_text
from incidents.values import Edit
from monitoring.values import Tree

_JSON_VALUE = r"(?:\"(?:[^\"\\]|\\.)*\"|-?\d[\d.eE+-]*|true|false|null)"


def value_edit(
    change: Changed, hunks: tuple[Hunk, ...], current: Tree, last_good: Tree
) -> Edit | None:
    """Return the edit that puts one changed JSON value back, None where a revert of its own line does as well.

    Only plain values whose key stands exactly once in both files are edited: anything else could hit another place.
    """
    if change.added or change.removed or not change.file.lower().endswith(".json"):
        return None
    if _has_its_own_line(change, hunks):
        return None
    name = change.key.rpartition(".")[2]
    old, new = _member(last_good[change.file], name), _member(current[change.file], name)
    return Edit(path=change.file, old=new, new=old) if old and new and old != new else None


def _has_its_own_line(change: Changed, hunks: tuple[Hunk, ...]) -> bool:
    own = [h for h in hunks if h.path == change.file and change.line and h.covers(change.line)]
    return any(len(h.new_lines) == 1 and h.new_lines[0].count(":") == 1 for h in own)


def _member(data: bytes, name: str) -> str:
    pattern = re.compile(rf"{re.escape(json.dumps(name))}\s*:\s*{_JSON_VALUE}")
    found = pattern.findall(as_text(data) or "")
    return found[0] if len(found) == 1 else ""
