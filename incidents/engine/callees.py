"""Finds the change on the way of a failing request, though no frame of its traceback stands on it.

A function that returns too little, or spoils what it was given, has returned long before somebody else raises; and a value of a
module was set long before somebody uses it.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from incidents.engine.facts import Facts
from incidents.engine.hunks import Hunk
from incidents.engine.lines import as_text
from incidents.engine.suspects import line_in, ranked, suspicion

DEPTH = 3
MOST_FILES = 400


@dataclass(frozen=True, kw_only=True)
class Callee:
    """A changed function, or value of a module (`what` in words), on the way of the failing request."""

    file: str
    line: int
    what: str
    code: str


def changed_callee(facts: Facts) -> Callee | None:
    """Return the most suspicious change in what the frames of the failure call or use, directly or by others.

    None without a traceback in the service's code, or when nothing that changed can be reached from it.
    """
    frames = [frame for trace in facts.chain for frame in trace.frames]
    entered = {frame.function for frame in frames if facts.places.locate(frame.path)}
    if not entered:
        return None
    functions = list(_functions(facts))
    reached = _reached(entered, functions)
    used = frozenset(name for one in functions if one.name in reached for name in one.uses)
    for hunk in ranked(facts):
        what = _reached_in(hunk, functions, reached) or _used_in(hunk, facts, used)
        if what and suspicion(hunk, facts) > 0:
            line = line_in(hunk, facts)
            return Callee(file=hunk.path, line=line, what=what, code=facts.source(hunk.path, line))
    return None


def _reached_in(hunk: Hunk, functions: Sequence[_Function], reached: frozenset[str]) -> str:
    own = _around(hunk, functions)
    return f"{own.name}, which is called on the way there," if own and own.name in reached else ""


def _used_in(hunk: Hunk, facts: Facts, used: frozenset[str]) -> str:
    """Say which value of a module, changed by a hunk outside of functions, is used by what was reached."""
    if not hunk.path.endswith(".py") or hunk.kind != "changed":
        return ""
    found = (_VALUE.match(line) for line in (*hunk.new_lines, *hunk.old_lines))
    names = [match["name"] for match in found if match]
    defined = _values_of(as_text(facts.pack.current[hunk.path]) or "")
    name = next((name for name in names if name in used and name in defined), "")
    return f"{name}, which is used on the way there," if name else ""


_VALUE = re.compile(r"(?:#\s*)?(?P<name>[A-Za-z_]\w*)(?:\.\w+)*\s*(?::[^=]+)?=(?!=)")


@dataclass(frozen=True)
class _Function:
    file: str
    name: str
    first: int
    last: int
    calls: frozenset[str]
    uses: frozenset[str]


def _functions(facts: Facts) -> Iterator[_Function]:
    files = sorted(path for path in facts.pack.current if path.endswith(".py"))
    for path in files[:MOST_FILES]:
        yield from _parsed(path, as_text(facts.pack.current[path]) or "")


@lru_cache(maxsize=512)
def _parsed(path: str, text: str) -> tuple[_Function, ...]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    return tuple(
        _Function(
            path, node.name, node.lineno, node.end_lineno or node.lineno, _called(node), _used(node)
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _called(node: ast.AST) -> frozenset[str]:
    calls = (inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call))
    names = (
        func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in calls
    )
    return frozenset(name for name in names if name)


def _used(node: ast.AST) -> frozenset[str]:
    parts = list(ast.walk(node))
    return frozenset(part.id for part in parts if isinstance(part, ast.Name)) | frozenset(
        part.attr for part in parts if isinstance(part, ast.Attribute)
    )


@lru_cache(maxsize=512)
def _values_of(text: str) -> frozenset[str]:
    """Return the names that a module gives values to outside of its functions."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    found = (part for statement in tree.body for part in _targets(statement))
    return frozenset(part.id for part in found if isinstance(part, ast.Name))


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AnnAssign) else []


def _reached(entered: Iterable[str], functions: Iterable[_Function]) -> frozenset[str]:
    called: dict[str, set[str]] = defaultdict(set)
    for function in functions:
        called[function.name] |= function.calls
    reached, edge = set(entered), set(entered)
    for _ in range(DEPTH):
        edge = {name for start in edge for name in called.get(start, ())} - reached
        reached |= edge
    return frozenset(reached)


def _around(hunk: Hunk, functions: Iterable[_Function]) -> _Function | None:
    """Return the innermost function that a hunk lies in."""
    last = hunk.new_start + max(len(hunk.new_lines) - 1, 0)
    own = [
        f for f in functions if f.file == hunk.path and f.first <= hunk.new_start and last <= f.last
    ]
    return max(own, key=lambda function: function.first, default=None)
