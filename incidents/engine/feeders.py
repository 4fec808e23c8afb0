"""Finds the changed line that spoiled what an unchanged line uses: the one that raises is often not the one to blame."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass

from incidents.engine.culprits import Culprit
from incidents.engine.facts import Facts
from incidents.engine.lines import as_text

_NAME = re.compile(r"(?<![\w.\"'])[A-Za-z_]\w*")
_STRING = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_TOUCHES = re.compile(
    r"\s*(?:(?:global|del)\s+)?(?P<names>[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)"
    r"(?:\s*(?::[^=]+)?(?:[-+*/|&%]|//|\*\*)?=(?!=)|\.\w+\(|\[[^\]]*\]\s*=(?!=)|\s*$)"
)


@dataclass(frozen=True, kw_only=True)
class Feeder:
    """A changed line that sets or uses up a name which the failing line needs."""

    line: int
    name: str
    code: str


def feeder_of(facts: Facts, culprit: Culprit) -> Feeder | None:
    """Return the last changed line of the same file that touches a name of the failing line, None when there is none.

    Names inside functions count only in the failing function itself; those of the module count everywhere.
    """
    if culprit.line is None or culprit.on_changed_line:
        return None
    text = as_text(facts.pack.current.get(culprit.file, b"")) or ""
    needed = _names(culprit.code or facts.source(culprit.file, culprit.line))
    first, last = _function_around(text, culprit.line)
    found = [
        feeder
        for feeder in _touching(facts, culprit.file, needed)
        if first <= feeder.line <= last or not feeder.code[:1].isspace()
    ]
    return found[-1] if found else None


def _touching(facts: Facts, file: str, needed: frozenset[str]) -> Iterator[Feeder]:
    for hunk in facts.code_hunks:
        if hunk.path != file:
            continue
        for number, line in enumerate(hunk.new_lines, start=hunk.new_start):
            match = _TOUCHES.match(line)
            names = set(re.findall(r"\w+", match["names"])) & needed if match else set()
            if names:
                yield Feeder(line=number, name=min(names), code=line)


def _names(code: str) -> frozenset[str]:
    """Return the names of a line that are neither Python's own nor inside its texts; those in f-strings count."""
    plain = code if re.search(r"\b[fF][\"']", code) else _STRING.sub("", code)
    return frozenset(_NAME.findall(plain)) - frozenset(dir(builtins)) - _KEYWORDS


def _function_around(text: str, line: int) -> tuple[int, int]:
    """Return the first and last line of the innermost function around a line, of nothing at all outside of one."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 1, 0
    spans = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    around = [(first, last) for first, last in spans if first <= line <= last]
    return max(around, default=(1, 0))


_KEYWORDS = frozenset(
    {"return", "await", "yield", "if", "else", "elif", "for", "in", "not", "and", "or", "is", "with", "as", "raise"}
    | {"from", "import", "lambda", "while", "assert", "async", "del", "try", "except", "f", "self", "cls"}
)  # fmt: skip
