"""What changed between the last known good tree and the current one, as pieces that can be put back one by one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from incidents.engine.lines import Span, as_text, spans, split_lines
from incidents.values import digest_of
from monitoring.values import Tree

ALIKE = 0.6
"""Share of common lines from which a deleted and an added file count as one renamed file."""


@dataclass(frozen=True, kw_only=True)
class Hunk:
    """One stretch of change. Line numbers count from 1; the lines keep their ends.

    `kind` is "changed", "added" or "deleted" (the whole file came or went) or "binary" (the whole file changed and is
    no text; then both `..._lines` are empty). `linked` is the id of a rename's other half. The id is made of path and
    content, so that it stays the same when other hunks of the file are put back.
    """

    id: str
    path: str
    kind: str
    old_start: int
    old_lines: tuple[str, ...]
    new_start: int
    new_lines: tuple[str, ...]
    linked: str = ""

    @property
    def size(self) -> int:
        """Return how many lines it removed and added."""
        return len(self.old_lines) + len(self.new_lines)

    def covers(self, line: int) -> bool:
        """Return whether a line of the current file was written, or has lost a neighbour, by this hunk."""
        if not self.new_lines:
            return self.kind == "changed" and line in {self.new_start - 1, self.new_start}
        return self.new_start <= line < self.new_start + len(self.new_lines)


def hunks(last_good: Tree, current: Tree) -> tuple[Hunk, ...]:
    """Return every difference between the trees, by path and position."""
    found: list[Hunk] = []
    for path in sorted({*last_good, *current}):
        old, new = last_good.get(path), current.get(path)
        if old != new:
            found.extend(file_hunks(path, old, new))
    return _with_links(found, last_good, current)


def file_hunks(path: str, old: bytes | None, new: bytes | None) -> tuple[Hunk, ...]:
    """Return the hunks of one file; None stands for a file that is not there."""
    if old == new:
        return ()
    old_text = as_text(old) if old is not None else ""
    new_text = as_text(new) if new is not None else ""
    if old is None or new is None:
        kind = "added" if old is None else "deleted"
        return (_whole(path, kind, (old, new), (old_text, new_text)),)
    if old_text is None or new_text is None:
        return (_whole(path, "binary", (old, new), (None, None)),)
    return _numbered(path, split_lines(old_text), split_lines(new_text))


def pieces(old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[Span]:
    """Yield spans, finer than a diff's where neighbouring lines were each rewritten in place.

    Two settings changed on neighbouring lines are one stretch to a diff, yet only one of them may be at fault; and so is
    a line with a new comment below it.
    """
    for span in spans(old, new):
        before, after = old[span.old_from : span.old_to], new[span.new_from : span.new_to]
        count = 0 if span.same else _rewritten_in_place(before, after)
        if not count:
            yield span
            continue
        i, j = span.old_from + count, span.new_from + count
        for step in range(count, 0, -1):
            yield Span(False, i - step, i - step + 1, j - step, j - step + 1)  # noqa: FBT003 - a named tuple's own first field
        if i < span.old_to or j < span.new_to:
            yield Span(False, i, span.old_to, j, span.new_to)  # noqa: FBT003 - as above


def _rewritten_in_place(before: tuple[str, ...], after: tuple[str, ...]) -> int:
    """Return how many first lines were each rewritten; 0 when what is left over is more than comments."""
    count = min(len(before), len(after))
    even = all(_same_subject(*pair) for pair in zip(before, after, strict=False))
    rest = (*before[count:], *after[count:])
    return count if even and all(_COMMENT.match(line) for line in rest) else 0


_COMMENT = re.compile(r"\s*(#|$)")
_SUBJECT = re.compile(r"\s*[\"']?[\w.-]+")


def _same_subject(old: str, new: str) -> bool:
    left, right = _SUBJECT.match(old), _SUBJECT.match(new)
    return left is not None and right is not None and left.group() == right.group()


def _numbered(path: str, old: tuple[str, ...], new: tuple[str, ...]) -> tuple[Hunk, ...]:
    seen: Counter[tuple[tuple[str, ...], tuple[str, ...]]] = Counter()
    found = []
    for span in pieces(old, new):
        if span.same:
            continue
        sides = old[span.old_from : span.old_to], new[span.new_from : span.new_to]
        found.append(
            Hunk(
                id=_id(path, "changed", *sides, seen[sides]),
                path=path,
                kind="changed",
                old_start=span.old_from + 1,
                old_lines=sides[0],
                new_start=span.new_from + 1,
                new_lines=sides[1],
            )
        )
        seen[sides] += 1
    return tuple(found)


def _whole(
    path: str,
    kind: str,
    data: tuple[bytes | None, bytes | None],
    texts: tuple[str | None, str | None],
) -> Hunk:
    return Hunk(
        id=_id(path, kind, *((side or b"").hex() for side in data)),
        path=path,
        kind=kind,
        old_start=1,
        old_lines=split_lines(texts[0] or ""),
        new_start=1,
        new_lines=split_lines(texts[1] or ""),
    )


def _id(*parts: object) -> str:
    return digest_of(list(parts))[:12]


def _with_links(found: list[Hunk], last_good: Tree, current: Tree) -> tuple[Hunk, ...]:
    gone = [hunk for hunk in found if hunk.kind == "deleted"]
    links: dict[str, str] = {}
    for came in (hunk for hunk in found if hunk.kind == "added"):
        for left in gone:
            if left.id not in links and _renamed(last_good[left.path], current[came.path]):
                links[left.id], links[came.id] = came.id, left.id
                break
    return tuple(replace(hunk, linked=links.get(hunk.id, "")) for hunk in found)


def _renamed(old: bytes, new: bytes) -> bool:
    if old == new:
        return bool(old.strip())
    old_text, new_text = as_text(old), as_text(new)
    if not old_text or not new_text:
        return False
    a, b = split_lines(old_text), split_lines(new_text)
    common = sum(span.old_to - span.old_from for span in spans(a, b) if span.same)
    return 2 * common >= ALIKE * (len(a) + len(b))
