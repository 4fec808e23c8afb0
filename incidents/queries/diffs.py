"""A unified diff as rows for the page: unified and side by side, syntax colours, changed words marked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import zip_longest
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from incidents.queries.highlight import coloured

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_WORD = re.compile(r"\w+|\s+|.")
MAX_PAIRED = 60  # lines of one change whose words are compared
MAX_WORDY = 400  # characters of a line whose words are compared
KINDS = {" ": "context", "+": "add", "-": "delete"}


@dataclass(frozen=True)
class Line:
    """One line of a diff: its kind, its numbers before and after (0: none) and its text."""

    kind: str
    old: int
    new: int
    text: str


@dataclass
class FileDiff:
    """The changes of one file; `hunks` are (heading, lines), `note` stands for what has no lines."""

    path: str
    hunks: list[tuple[str, list[Line]]] = field(default_factory=list)
    note: str = ""

    @property
    def added(self) -> int:
        """Return the number of added lines."""
        return self._count("add")

    @property
    def removed(self) -> int:
        """Return the number of removed lines."""
        return self._count("delete")

    @property
    def first_line(self) -> int:
        """Return the number of the first changed line, as the file is before the change."""
        lines = [line for _, hunk in self.hunks for line in hunk if line.kind != "context"]
        return next((line.old or line.new for line in lines), 1)

    def _count(self, kind: str) -> int:
        return sum(line.kind == kind for _, lines in self.hunks for line in lines)


def parse(diff: str) -> list[FileDiff]:
    """Return the files of a unified diff as `incidents.engine.diffs` writes it."""
    files: list[FileDiff] = []
    old = new = 0
    for raw in diff.split("\n"):
        if raw.startswith("diff --git "):
            files.append(FileDiff(path=raw.rpartition(" b/")[2]))
        elif not files:
            continue
        elif found := _HUNK.match(raw):
            old, new = int(found[1]), int(found[3])
            files[-1].hunks.append((raw, []))
        elif files[-1].hunks and raw[:1] in KINDS:
            kind = KINDS[raw[0]]
            at_old, at_new = old if kind != "add" else 0, new if kind != "delete" else 0
            files[-1].hunks[-1][1].append(Line(kind, at_old, at_new, raw[1:]))
            old, new = old + (kind != "add"), new + (kind != "delete")
        elif raw.startswith(("Binary file", "new file", "deleted file")):
            files[-1].note = raw
    return files


@lru_cache(maxsize=64)
def unified(diff: str) -> tuple[tuple[FileDiff, tuple[dict[str, Any], ...]], ...]:
    """Return each file with its rows in one column."""
    return tuple((file, tuple(_unified_rows(file))) for file in parse(diff))


@lru_cache(maxsize=64)
def split(diff: str) -> tuple[tuple[FileDiff, tuple[dict[str, Any], ...]], ...]:
    """Return each file with its rows in two columns."""
    return tuple((file, tuple(_split_rows(file))) for file in parse(diff))


def _unified_rows(file: FileDiff) -> Iterator[dict[str, Any]]:
    for heading, lines in file.hunks:
        yield {"kind": "hunk", "old": "", "new": "", "html": heading}
        html = _html_of(file.path, lines)
        for line in lines:
            old, new = line.old or "", line.new or ""
            yield {"kind": line.kind, "old": old, "new": new, "html": html[line]}


def _split_rows(file: FileDiff) -> Iterator[dict[str, Any]]:
    for heading, lines in file.hunks:
        yield {"hunk": heading}
        html = _html_of(file.path, lines)
        for removed, added in _changes(lines):
            for left, right in zip_longest(removed, added):
                yield {
                    "left": _side(left, left.old if left else 0, html),
                    "right": _side(right, right.new if right else 0, html),
                }


def _side(line: Line | None, number: int, html: dict[Line, SafeString]) -> dict[str, Any]:
    if line is None:
        return {"kind": "none", "number": "", "html": ""}
    return {"kind": line.kind, "number": number, "html": html[line]}


def _changes(lines: list[Line]) -> Iterator[tuple[list[Line], list[Line]]]:
    """Yield what stands side by side: removed with added lines, and context with itself."""
    removed: list[Line] = []
    added: list[Line] = []
    for line in lines:
        if line.kind == "context" or (line.kind == "delete" and added):
            yield removed, added
            removed, added = [], []
        if line.kind == "context":
            yield [line], [line]
        else:
            (removed if line.kind == "delete" else added).append(line)
    yield removed, added


def _html_of(path: str, lines: list[Line]) -> dict[Line, SafeString]:
    """Return each line's HTML: context in syntax colours, changed lines with their changed words."""
    colours = coloured("\n".join(line.text for line in lines), path)
    html = {line: colours[place] for place, line in enumerate(lines) if line.kind == "context"}
    for removed, added in _changes(lines):
        if removed and removed[0].kind == "context":
            continue
        html |= {line: escape(line.text) for line in (*removed, *added)}
        if len(removed) <= MAX_PAIRED and len(added) <= MAX_PAIRED:
            for old, new in zip(removed, added, strict=False):
                html[old], html[new] = _words(old.text, new.text)
    return html


def _words(old: str, new: str) -> tuple[SafeString, SafeString]:
    """Return both lines with the differing words in <del> and <ins>; too different ones stay unmarked."""
    if len(old) > MAX_WORDY or len(new) > MAX_WORDY:
        return escape(old), escape(new)
    before, after = _WORD.findall(old), _WORD.findall(new)
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < 0.4:
        return escape(old), escape(new)
    left, right = [], []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        gone, come = escape("".join(before[i1:i2])), escape("".join(after[j1:j2]))
        left.append(gone if tag == "equal" or not gone else f"<del>{gone}</del>")
        right.append(come if tag == "equal" or not come else f"<ins>{come}</ins>")
    # Every part was escaped above; only our own two tags stand around them.
    return mark_safe("".join(left)), mark_safe("".join(right))  # noqa: S308
