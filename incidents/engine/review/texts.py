"""The string values of a Python module, with f-strings and sums put together and what is computed marked."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator

HOLE = "computed_value"
"""Stands in a text for what only running it would tell; a valid word for SQL and shell alike."""


def texts(tree: ast.Module) -> Iterator[tuple[ast.expr, str]]:
    """Yield each outermost string expression with its text; docstrings are prose and left out."""
    todo: list[ast.AST] = [tree]
    prose = {id(node) for node in ast.walk(tree) if _is_prose(node)}
    while todo:
        node = todo.pop()
        if id(node) in prose:
            continue
        if isinstance(node, ast.expr) and (text := text_of(node)) is not None:
            yield node, text
        else:
            todo.extend(ast.iter_child_nodes(node))


def _is_prose(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def text_of(node: ast.expr) -> str | None:
    """Return the text of a string expression, None when it is none."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(text_of(part) or HOLE for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts_text = [text_of(left), text_of(right)]
            if any(part is not None for part in parts_text):
                return "".join(HOLE if part is None else part for part in parts_text)
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod()):
            return text.replace("%s", HOLE).replace("%d", HOLE)
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return text.replace("{}", HOLE)
    return None


def words(node: ast.expr) -> str | None:
    """Return a list or tuple of strings as one command line, None when it is none."""
    if not isinstance(node, ast.List | ast.Tuple) or not node.elts:
        return None
    found = [text_of(item) for item in node.elts]
    if found[0] is None:
        return None
    return shlex.join(HOLE if item is None else item for item in found)
