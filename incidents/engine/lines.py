"""Files as lines, without losing a byte: what every diff of the engine stands on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

MAX_CELLS = 4_000_000
"""Lines of one side times lines of the other that are compared finely; above it the whole stretch is one change."""


class Span(NamedTuple):
    """Lines `old_from:old_to` of the old file stand for `new_from:new_to` of the new; `same` says they are equal."""

    same: bool
    old_from: int
    old_to: int
    new_from: int
    new_to: int


def as_text(data: bytes) -> str | None:
    """Return the text of a UTF-8 file, or None for anything that must be treated as a lump of bytes."""
    if b"\x00" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def split_lines(text: str) -> tuple[str, ...]:
    """Return the lines with their ends, cut at `\\n` only.

    `str.splitlines` also cuts at form feeds and Unicode separators, which Python source and JSON do not count as
    line ends: line numbers would drift from those of a traceback.
    """
    return tuple(re.findall(r"[^\n]*\n|[^\n]+", text))


def spans(old: Sequence[str], new: Sequence[str]) -> Iterator[Span]:
    """Yield the spans that lead from old to new, in order and without gaps; time is bounded for any input."""
    head = _common(zip(old, new, strict=False))
    room = min(len(old), len(new)) - head
    tail = min(room, _common(zip(reversed(old), reversed(new), strict=False)))
    old_end, new_end = len(old) - tail, len(new) - tail
    if head:
        yield Span(True, 0, head, 0, head)  # noqa: FBT003 - a named tuple's own first field
    yield from _middle(old, new, Span(False, head, old_end, head, new_end))  # noqa: FBT003 - as above
    if tail:
        yield Span(True, old_end, len(old), new_end, len(new))  # noqa: FBT003 - as above


def _common(pairs: Iterator[tuple[str, str]] | zip[tuple[str, str]]) -> int:
    count = 0
    for left, right in pairs:
        if left != right:
            break
        count += 1
    return count


def _middle(old: Sequence[str], new: Sequence[str], part: Span) -> Iterator[Span]:
    a, b = old[part.old_from : part.old_to], new[part.new_from : part.new_to]
    if not a and not b:
        return
    if len(a) * len(b) > MAX_CELLS:
        yield part
        return
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        yield Span(
            tag == "equal",
            part.old_from + i1,
            part.old_from + i2,
            part.new_from + j1,
            part.new_from + j2,
        )
