"""New Python that weakens a protection without calling anything dangerous: guessable secrets, open cookies, checks off."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from incidents.engine.review.names import Names
from incidents.engine.review.objection import Objection
from incidents.engine.review.policies import CREDENTIALS, DATA_LOSS, REGRESSION

_CHANCE = re.compile(
    r"(?:numpy\.)?random\.(?:choices?|randint|random|getrandbits|randrange|sample|randbytes|uniform)"
)
_MAKES_SECRET = re.compile(
    r"(?i)(?:^|_)(?:tokens?|secrets?|passwords?|passwd|session_?(?:id|key)|nonce|otp|salt|api_?keys?|csrf|pin)(?:$|_)"
)
_COOKIE_FLAGS = {"secure", "httponly", "http_only"}
_COOKIE_SETTING = re.compile(r"(?i).*(?:cookie_(?:secure|httponly)|ssl_redirect|csrf_enabled)$")
_VERIFIES = re.compile(r"verify(?:_\w+)?|check_hostname|validate_certs")


def objections(node: ast.AST, names: Names) -> Iterator[Objection]:
    """Yield what one node of the tree weakens."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield from _guessable(node, name, names)
        case ast.Assign(targets=[ast.Name(id=name) | ast.Attribute(attr=name), *_], value=value):
            yield from _guessable(value, name, names)
            if _COOKIE_SETTING.fullmatch(name) and _is_false(value):
                yield Objection(node, "open-cookie", REGRESSION, f"{name} is switched off")
        case ast.Call():
            yield from _cookie(node)
            yield from _cut_to_nothing(node, names)
        case ast.Dict():
            yield from _unverified(node)
        case ast.JoinedStr():
            yield from _shows_environment(node, names)


def _guessable(node: ast.AST, name: str, names: Names) -> Iterator[Objection]:
    if not _MAKES_SECRET.search(name):
        return
    calls = (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))
    chance = next((call for call in calls if _CHANCE.fullmatch(names.of(call.func))), None)
    if chance is not None:
        detail = f"{name} comes from {names.of(chance.func)}(), which can be guessed"
        yield Objection(chance, "guessable-secret", REGRESSION, detail)


def _cut_to_nothing(node: ast.Call, names: Names) -> Iterator[Objection]:
    if (
        names.of(node.func) == "os.truncate"
        and len(node.args) > 1
        and ast.unparse(node.args[1]) == "0"
    ):
        yield Objection(node, "empties-file", DATA_LOSS, "empties a file")


def _cookie(node: ast.Call) -> Iterator[Objection]:
    if not (isinstance(node.func, ast.Attribute) and node.func.attr == "set_cookie"):
        return
    for keyword in node.keywords:
        if keyword.arg in _COOKIE_FLAGS and _is_false(keyword.value):
            detail = f"a cookie with {keyword.arg}=False can be read by others"
            yield Objection(
                keyword.value, "open-cookie", REGRESSION, detail, key=f"cookie {keyword.arg}"
            )


def _unverified(node: ast.Dict) -> Iterator[Objection]:
    for key, value in zip(node.keys, node.values, strict=True):
        name = key.value if isinstance(key, ast.Constant) else None
        if isinstance(name, str) and _VERIFIES.fullmatch(name) and _is_false(value):
            yield Objection(
                value, "verification-off", REGRESSION, f"{name}: False", key=f"option {name}"
            )


def _shows_environment(node: ast.JoinedStr, names: Names) -> Iterator[Objection]:
    for part in node.values:
        if isinstance(part, ast.FormattedValue) and _is_environment(part.value, names):
            yield Objection(
                node,
                "environment-exposed",
                CREDENTIALS,
                "writes the whole environment into a text",
                "critical",
            )


def _is_environment(node: ast.expr, names: Names) -> bool:
    """Return whether an expression is the whole environment, as it is or in another shape: `dict(os.environ)`."""
    if isinstance(node, ast.Call) and len(node.args) == 1:
        return names.of(node.func) in {"dict", "str", "repr", "sorted", "list"} and _is_environment(
            node.args[0], names
        )
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in {"items", "copy", "values"} and _is_environment(
            node.func.value, names
        )
    return names.of(node) == "os.environ"


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False
