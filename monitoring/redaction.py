"""Takes what is marked as secret out of recorded requests and answers, before they are stored. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[redacted]"
_SECRET_HEADERS = {"authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key"}
_SECRET_HEADERS |= {"x-auth-token", "x-csrftoken", "x-csrf-token", "x-amz-security-token"}
# Made anew for every request, or by the connection: a replay must not send the old ones.
_NOT_KEPT = {"host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
_NOT_KEPT |= {"date", "keep-alive", "upgrade", "te", "expect", "x-forwarded-for"}


def headers(given: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that matter for a replay, those that carry secrets with their value hidden."""
    return {
        name: HIDDEN if name.lower() in _SECRET_HEADERS else value
        for name, value in given.items()
        if name.lower() not in _NOT_KEPT
    }


def body(data: bytes, fields: Iterable[object]) -> bytes:
    """Return a JSON body with the named fields hidden, wherever in it they are; any other body as it is.

    A field is a dotted path such as `payment.token`, matched at every depth, so that `card.number` also covers
    `{"orders": [{"card": {"number": ...}}]}`. When nothing matches, the bytes stay exactly the same.
    """
    wanted = [tuple(field.split(".")) for field in fields if isinstance(field, str) and field]
    if not wanted or not data:
        return data
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    return json.dumps(document).encode() if _hide(document, wanted) else data


def is_hidden(raw: bytes, kept_headers: Mapping[str, str]) -> bool:
    """Return whether a stored request lost something that a replay would need."""
    return HIDDEN.encode() in raw or HIDDEN in kept_headers.values()


def _hide(document: Any, wanted: list[tuple[str, ...]]) -> int:
    """Hide in place and return how many values that were."""
    hidden = 0
    open_nodes: list[Any] = [document] if isinstance(document, dict | list) else []
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, dict):
            hidden += sum(_hide_at(node, path) for path in wanted)
        children = node.values() if isinstance(node, dict) else node
        open_nodes += [child for child in children if isinstance(child, dict | list)]
    return hidden


def _hide_at(node: dict[str, Any], path: tuple[str, ...]) -> int:
    *parents, last = path
    here: Any = node
    for name in parents:
        here = here.get(name) if isinstance(here, dict) else None
    if not isinstance(here, dict) or here.get(last) in (None, HIDDEN):
        return 0
    here[last] = HIDDEN
    return 1
