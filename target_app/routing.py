"""Finds the function that answers a path and method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import unquote

from app import App
from errors import MethodNotAllowedError, NotFoundError
from messages import Request, Response

Endpoint = Callable[[App, Request], Response]
Route = tuple[str, str, Endpoint]


class Router:
    """Holds routes such as ("GET", "/api/orders/{order_id}", get_order)."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._paths: list[tuple[list[str], dict[str, Endpoint]]] = []
        by_path: dict[str, dict[str, Endpoint]] = {}
        for method, pattern, endpoint in routes:
            by_path.setdefault(pattern, {})[method] = endpoint
        for pattern, methods in by_path.items():
            self._paths.append((pattern.split("/"), methods))

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
        """Return the endpoint and the values in the path; HEAD is answered as GET.

        Raises NotFoundError, or MethodNotAllowedError with an Allow header.
        """
        for parts, methods in self._paths:
            params = _match(parts, path.split("/"))
            if params is None:
                continue
            endpoint = methods.get("GET" if method == "HEAD" else method)
            if endpoint is None:
                raise _not_allowed(method, path, methods)
            return endpoint, params
        raise NotFoundError(f"no such path: {path}")


def _match(pattern: list[str], parts: list[str]) -> dict[str, str] | None:
    if len(pattern) != len(parts):
        return None
    params = {}
    for wanted, part in zip(pattern, parts, strict=True):
        if wanted.startswith("{"):
            params[wanted[1:-1]] = unquote(part)
        elif wanted != part:
            return None
    return params


def _not_allowed(method: str, path: str, methods: dict[str, Endpoint]) -> MethodNotAllowedError:
    allowed = sorted({*methods, "HEAD"} if "GET" in methods else methods)
    return MethodNotAllowedError(
        f"{method} is not allowed for {path}", headers={"Allow": ", ".join(allowed)}
    )
