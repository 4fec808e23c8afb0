"""An httpx client with a deadline for all of a request and a limit on bytes, for the SDKs that are built on httpx.

httpx limits each read, so that a dripping server outlives any timeout; and SDKs set timeouts of their own, or none.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from functools import cache
from typing import Any

import httpx

DEFAULT_SECONDS = 10.0
_end: ContextVar[float] = ContextVar("deadline of vendors' calls")


class TooLarge(RuntimeError):
    """The answer is larger than we take."""


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Give all requests inside the block together this long."""
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


@cache
def tls() -> ssl.SSLContext:
    """Return the context of this process: making one costs 60 ms, and an SDK may make one for every call."""
    return httpx.create_ssl_context()


class BoundedClient(httpx.Client):
    """Ends each request at the block's deadline, whatever the SDK asks for, and never follows a redirect."""

    def __init__(self, *, max_bytes: int, **options: Any) -> None:
        super().__init__(**options, follow_redirects=False)
        self._max_bytes = max_bytes

    def send(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        """Send, read the whole answer within the deadline and the size limit, and return it."""
        left = _end.get(time.monotonic() + DEFAULT_SECONDS) - time.monotonic()
        if left <= 0:
            raise httpx.ReadTimeout("out of time", request=request)
        cut = _Cut()
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), left)
        request.extensions["trace"] = cut.watch
        timer = threading.Timer(left, cut.now)
        timer.daemon = True
        timer.start()
        try:
            wish = {**kwargs, "stream": True, "follow_redirects": False}
            return _read(super().send(request, **wish), self._max_bytes)
        except (httpx.TransportError, OSError) as error:
            if cut.done:
                raise httpx.ReadTimeout("out of time", request=request) from error
            raise
        finally:
            timer.cancel()


class _Cut:
    """Ends a connection from another thread: shutting its socket down wakes whoever reads, closing it does not."""

    def __init__(self) -> None:
        self._stream: Any = None
        self.done = False

    def watch(self, event: str, info: dict[str, Any]) -> None:
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._stream = info["return_value"]

    def now(self) -> None:
        self.done = True
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def _read(response: httpx.Response, max_bytes: int) -> httpx.Response:
    body = bytearray()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > max_bytes:
                raise TooLarge(f"an answer of more than {max_bytes // 1_000_000} MB")
    finally:
        response.close()
    response._content = bytes(body)  # what `read()` does, with a limit
    return response
