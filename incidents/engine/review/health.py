"""Health answers that claim what nobody measured: a fix that only silences the probe heals nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from incidents.engine.review.changed import ChangedFile
from incidents.engine.review.policies import REGRESSION
from incidents.values import Finding

_ABOUT_HEALTH = re.compile(
    r"(?i)health|ready|readiness|alive|liveness|heartbeat|(?:^|_)ping(?:$|_)"
)
_WELL = frozenset(
    {"ok", "okay", "healthy", "up", "pass", "passing", "green", "alive", "ready", "good"}
)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def fake_health(file: ChangedFile) -> Iterator[Finding]:
    """Yield functions about health that claim "ok" as a constant more often than before, or no longer ask anything."""
    if file.tree is None or file.tree_before is None:
        return
    before = _functions(file.path, file.tree_before)
    for name, node in _functions(file.path, file.tree).items():
        old = before.get(name)
        if old is None or not file.touches(node):
            continue
        asks_nothing = any(map(_asks, ast.walk(old))) and not any(map(_asks, ast.walk(node)))
        if asks_nothing or _claims(node) > _claims(old):
            yield Finding(
                rule="fake-health",
                policy=REGRESSION,
                detail=f"{name}() would claim to be healthy without having looked",
                path=file.path,
                line=node.lineno,
            )


def _functions(path: str, tree: ast.Module) -> dict[str, _Function]:
    everything = bool(_ABOUT_HEALTH.search(PurePosixPath(path).stem))
    return {
        node.name: node
        for node in ast.walk(tree)
        if isinstance(node, _Function) and (everything or _ABOUT_HEALTH.search(node.name))
    }


def _asks(node: ast.AST) -> bool:
    """Return whether a node looks at anything: a call, a condition, an attribute or an item."""
    return isinstance(
        node, ast.Call | ast.Compare | ast.IfExp | ast.If | ast.Subscript | ast.Attribute
    )


def _claims(function: _Function) -> int:
    """Count the places that say "ok" whatever happened: a value returned, kept or put under a key, no condition in it."""
    return sum(_is_well(value) for node in ast.walk(function) for value in _values(node))


def _values(node: ast.AST) -> list[ast.expr | None]:
    match node:
        case ast.Return(value=value) | ast.Assign(value=value):
            return [value, *(value.elts if isinstance(value, ast.Tuple) else [])]
        case ast.Dict(values=values):
            return list(values)
        case ast.keyword(value=value):
            return [value]
    return []


def _is_well(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and (
        isinstance(value.value, str) and value.value.lower() in _WELL
    )
