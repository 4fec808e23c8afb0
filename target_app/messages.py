"""A request and an answer, free of sockets, so that every endpoint is a plain function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal


@dataclass(frozen=True)
class Request:
    """One parsed request. `headers` has lower-case names; `params` comes from the path."""

    method: str
    path: str
    request_id: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    params: Mapping[str, str] = field(default_factory=dict)

    def with_params(self, params: Mapping[str, str]) -> Request:
        return replace(self, params=params)


@dataclass(frozen=True)
class Response:
    """One answer: a status, a body that JSON can hold, and extra headers."""

    status: int
    body: object
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_headers(self, extra: Mapping[str, str]) -> Response:
        return replace(self, headers={**self.headers, **extra})

    def encoded(self) -> bytes:
        return to_json(self.body).encode()


def to_json(value: object) -> str:
    """Write compact JSON with stable key order as given; a Decimal becomes a JSON number."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} does not belong in an answer")
