"""One changed file as the rules see it: both texts, and which lines came and went."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from incidents.values import ProposedChange


@dataclass(frozen=True)
class ChangedFile:
    """A file before and after; None means that it is not there, `added` counts lines of the new text from 1."""

    path: str
    before: str | None
    after: str | None
    added: frozenset[int]

    @property
    def is_python(self) -> bool:
        """Return whether the file is Python by its name, or by its first line."""
        first = (self.after or self.before or "").split("\n", 1)[0]
        return self.path.endswith((".py", ".pyi", ".pyw")) or (
            "python" in first and first[:2] == "#!"
        )

    @cached_property
    def tree(self) -> ast.Module | None:
        """Return the new text parsed, None when it is no Python or cannot be parsed."""
        return parsed(self.after) if self.is_python and self.after is not None else None

    @cached_property
    def tree_before(self) -> ast.Module | None:
        """Return the old text parsed, None likewise."""
        return parsed(self.before) if self.is_python and self.before is not None else None

    def added_lines(self) -> Iterator[tuple[int, str]]:
        """Yield number and text of each line that is new or changed."""
        for number, line in enumerate((self.after or "").splitlines(), start=1):
            if number in self.added:
                yield number, line

    def line(self, number: int) -> str:
        """Return one line of the new text, empty when there is none of that number."""
        lines = (self.after or "").splitlines()
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def touches(self, node: ast.AST) -> bool:
        """Return whether a node of the new tree lies, wholly or in part, on changed lines."""
        first = getattr(node, "lineno", None)
        if first is None:
            return False
        last = getattr(node, "end_lineno", None) or first
        return any(line in self.added for line in range(first, last + 1))


def parsed(text: str) -> ast.Module | None:
    """Return the syntax tree, None when the text is no valid Python."""
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None


def changed_files(change: ProposedChange) -> list[ChangedFile]:
    """Return the files that the change really alters, in order of their paths."""
    return [
        _changed_file(path, change.before, after)
        for path, after in sorted(change.after.items())
        if change.before.get(path) != after
    ]


def _changed_file(path: str, tree: Mapping[str, bytes], after: bytes | None) -> ChangedFile:
    old, new = text_of(tree.get(path)), text_of(after)
    return ChangedFile(path, old, new, _added(old, new))


def text_of(content: bytes | None) -> str | None:
    """Return the text with bytes that are no UTF-8 marked, None for no file."""
    return None if content is None else content.decode("utf-8", errors="replace")


def _added(old: str | None, new: str | None) -> frozenset[int]:
    before, after = (old or "").splitlines(), (new or "").splitlines()
    blocks = difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return frozenset(
        number + 1
        for tag, _, _, start, end in blocks
        if tag != "equal"
        for number in range(start, end)
    )
