"""The smoke requests that a service declares: read from its row, and checked before they get there. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.values import HttpRequest

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_KEYS = {"method", "path", "headers", "body", "status"}


class BadSmokeRequests(ValueError):
    """The declared smoke requests are not usable; the text says which and why."""


@dataclass(frozen=True, kw_only=True)
class Smoke:
    """One declared request and the status it must answer (None: any under 400)."""

    request: HttpRequest
    expected_status: int | None = None

    @property
    def is_read(self) -> bool:
        """Return whether it may be sent to the live service at any time."""
        return self.request.method in {"GET", "HEAD"}


def smoke_requests(raw: object) -> tuple[Smoke, ...]:
    """Return the declared requests; raises `BadSmokeRequests` that names the first fault."""
    if not isinstance(raw, list):
        raise BadSmokeRequests("Smoke requests are a list of objects.")
    if len(raw) > 50:
        raise BadSmokeRequests("At most 50 smoke requests.")
    return tuple(_smoke(item, number) for number, item in enumerate(raw, start=1))


def smoke_reads(raw: object) -> tuple[Smoke, ...]:
    """Return the declared requests that a probe may send; none when the row holds nonsense."""
    try:
        return tuple(smoke for smoke in smoke_requests(raw) if smoke.is_read)
    except BadSmokeRequests:
        return ()


def _smoke(item: object, number: int) -> Smoke:
    where = f"Smoke request {number}"
    if not isinstance(item, Mapping):
        raise BadSmokeRequests(f'{where} is not an object like {{"path": "/api/products"}}.')
    unknown = sorted(set(item) - _KEYS)
    if unknown:
        raise BadSmokeRequests(f"{where} has unknown keys: {', '.join(unknown)}.")
    method, path = str(item.get("method", "GET")).upper(), item.get("path")
    if method not in METHODS:
        raise BadSmokeRequests(f"{where}: the method is one of {', '.join(METHODS)}.")
    if not isinstance(path, str) or not path.startswith("/") or len(path) > 2000:
        raise BadSmokeRequests(f"{where}: the path is a text that starts with /.")
    headers, body = _headers(item, where), item.get("body", "")
    if not isinstance(body, str):
        body, headers = json.dumps(body), {"Content-Type": "application/json"} | headers
    request = HttpRequest(method=method, path=path, headers=headers, body=body.encode())
    return Smoke(request=request, expected_status=_status(item.get("status"), where))


def _headers(item: Mapping[str, Any], where: str) -> dict[str, str]:
    headers = item.get("headers", {})
    is_clean = isinstance(headers, Mapping) and all(
        isinstance(part, str) and "\n" not in part and "\r" not in part
        for pair in headers.items()
        for part in pair
    )
    if not is_clean:
        raise BadSmokeRequests(f"{where}: headers are an object of one-line texts.")
    return dict(headers)


def _status(status: object, where: str) -> int | None:
    if status is None:
        return None
    if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599:
        return status
    raise BadSmokeRequests(f"{where}: the status is a number from 100 to 599.")
