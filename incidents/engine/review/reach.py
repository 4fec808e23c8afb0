"""Calls in new Python that reach the network, turn verification off, or give secrets away."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from incidents.engine.review.names import Names
from incidents.engine.review.objection import Objection
from incidents.engine.review.policies import CREDENTIALS, REGRESSION

_NETWORK = re.compile(
    r"(?:requests|httpx|niquests)\.(?:get|post|put|patch|delete|head|options|request|stream|Session|Client|AsyncClient)(?:\(\)\.\w+)?"
    r"|urllib\.request\.(?:urlopen|urlretrieve)|http\.client\.HTTPS?Connection|aiohttp\.(?:ClientSession|request)"
    r"|socket\.(?:create_connection|socket\(\)\.connect)|smtplib\.SMTP(?:_SSL)?|ftplib\.FTP\w*|telnetlib\.Telnet"
    r"|paramiko\.\w+|websockets?\.(?:connect|create_connection)|urllib3\.\w+|pycurl\.Curl"
)
_LEAVES = re.compile(
    rf"{_NETWORK.pattern}|print|pprint\.pprint|json\.dumps?|.*\.(?:send|sendall|write|post|put|debug|info|warning|error|critical|exception|log)"
)
_SHOWS = re.compile(r"print|.*[lL]og[\w()]*\.(?:debug|info|warning|error|critical|exception|log)")
SECRET_NAME = re.compile(
    r"(?:.*_)?(?:password|passwd|secret|secret_key|api_?key|private_key|token|credentials)",
    re.IGNORECASE,
)
_SECRET_KEY = re.compile(
    rf"(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-\w+-token|{SECRET_NAME.pattern}",
    re.IGNORECASE,
)
_SWITCHED_OFF = re.compile(
    r"(?:check_hostname|verify|verify_mode) = (?:False|.*CERT_NONE)$|_create_default_https_context = "
)
_SECRET_FILE = re.compile(
    r"/etc/(?:g?shadow|sudoers)|\.ssh/|\.aws/credentials|\.netrc\b|\.pgpass\b|/proc/(?:self|\d+)/environ|\bid_rsa\b"
)


def objections(node: ast.AST, names: Names) -> Iterator[Objection]:
    """Yield what one node of the tree does in this respect."""
    if isinstance(node, ast.Call):
        name = names.of(node.func)
        yield from _network(node, name)
        yield from _verification(node, name)
        yield from _exposure(node, name, names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if _SECRET_FILE.search(node.value) and " " not in node.value:
            yield Objection(node, "secret-file", CREDENTIALS, "names a file that holds credentials")
    elif isinstance(node, ast.Assign):
        yield from _switch(node)


def _network(node: ast.Call, name: str) -> Iterator[Objection]:
    if _NETWORK.fullmatch(name):
        yield Objection(
            node, "network-call", REGRESSION, f"{name}() reaches the network", "medium", key=name
        )


def _verification(node: ast.Call, name: str) -> Iterator[Objection]:
    off = {
        "verify",
        "verify_ssl",
        "ssl_verify",
        "check_hostname",
        "verify_signature",
        "validate_certs",
    }
    if name in {"ssl._create_unverified_context", "urllib3.disable_warnings"}:
        yield Objection(node, "verification-off", REGRESSION, f"{name}() turns verification off")
    for keyword in node.keywords:
        value = ast.unparse(keyword.value)
        if (keyword.arg in off and value == "False") or value.endswith("CERT_NONE"):
            yield Objection(
                keyword.value,
                "verification-off",
                REGRESSION,
                f"{keyword.arg}={value}",
                key=f"{name} {keyword.arg}",
            )
    if name.endswith("AutoAddPolicy"):
        yield Objection(node, "verification-off", REGRESSION, "accepts any host key")


def _exposure(node: ast.Call, name: str, names: Names) -> Iterator[Objection]:
    arguments = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg != "env")]
    if _LEAVES.fullmatch(name) and any(_holds_environment(item, names) for item in arguments):
        yield Objection(
            node,
            "environment-exposed",
            CREDENTIALS,
            f"{name}() gives the environment away",
            "critical",
        )
    if _SHOWS.fullmatch(name) and any(
        _is_secret(inner) for item in arguments for inner in ast.walk(item)
    ):
        yield Objection(node, "secret-shown", CREDENTIALS, f"{name}() shows a secret")


def _holds_environment(node: ast.expr, names: Names) -> bool:
    """Return whether the whole environment, or a secret in it, is part of an expression."""
    parts = list(ast.walk(node))
    single = {id(part.value) for part in parts if isinstance(part, ast.Subscript)}
    single |= {
        id(part.func.value)
        for part in parts
        if isinstance(part, ast.Call)
        and isinstance(part.func, ast.Attribute)
        and part.func.attr == "get"
    }
    whole = any(
        isinstance(part, ast.Attribute | ast.Name)
        and names.of(part) == "os.environ"
        and id(part) not in single
        for part in parts
    )
    return whole or any(_reads_secret_variable(part, names) for part in parts)


def _reads_secret_variable(node: ast.AST, names: Names) -> bool:
    match node:
        case ast.Subscript(value=value, slice=ast.Constant(value=str(variable))):
            return names.of(value) == "os.environ" and bool(SECRET_NAME.fullmatch(variable))
        case ast.Call(func=function, args=[ast.Constant(value=str(variable)), *_]):
            return names.of(function) in {"os.getenv", "os.environ.get"} and bool(
                SECRET_NAME.fullmatch(variable)
            )
    return False


def _is_secret(node: ast.AST) -> bool:
    """Return whether a node names a secret, or takes one out of a mapping such as the headers of a request."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return bool(SECRET_NAME.fullmatch(name))
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return bool(_SECRET_KEY.fullmatch(name))
        case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
            return bool(_SECRET_KEY.fullmatch(name))
    return False


def _switch(node: ast.Assign) -> Iterator[Objection]:
    for target in node.targets:
        text = f"{ast.unparse(target)} = {ast.unparse(node.value)}"
        if _SWITCHED_OFF.search(text):
            yield Objection(node, "verification-off", REGRESSION, text)
