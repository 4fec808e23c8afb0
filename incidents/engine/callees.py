"""Finds the changed function that a failing request calls, though no frame of its traceback stands in it.

A function that returns too little, or spoils what it was given, has returned long before somebody else raises.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
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
    """A changed function on the way of the failing request."""

    file: str
    line: int
    function: str
    code: str


def changed_callee(facts: Facts) -> Callee | None:
    """Return the most suspicious change inside a function that the frames of the failure call, directly or by others.

    None without a traceback in the service's code, or when no changed function can be reached from it.
    """
    frames = [frame for trace in facts.chain for frame in trace.frames]
    entered = {frame.function for frame in frames if facts.places.locate(frame.path)}
    if not entered:
        return None
    functions = list(_functions(facts))
    reached = _reached(entered, functions)
    for hunk in ranked(facts):
        own = _around(hunk, functions)
        if own is not None and own.name in reached and suspicion(hunk, facts) > 0:
            line = line_in(hunk, facts)
            return Callee(
                file=hunk.path, line=line, function=own.name, code=facts.source(hunk.path, line)
            )
    return None


@dataclass(frozen=True)
class _Function:
    file: str
    name: str
    first: int
    last: int
    calls: frozenset[str]


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
        _Function(path, node.name, node.lineno, node.end_lineno or node.lineno, _called(node))
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def _called(node: ast.AST) -> frozenset[str]:
    calls = (inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call))
    names = (
        func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in calls
    )
    return frozenset(name for name in names if name)


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
