"""The SDK of Blaxel, set up so that it keeps to our limits. Imported late: the SDK costs 2 s and 54 MB.

What the SDK does by itself and what is done about it here: it reads credentials from the environment and the home
folder at import (ours are set explicitly), takes over logging (put back), has no time limit on the control plane and on
`exec` (one for every call), and repeats reads up to five times (once).
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from functools import cache
from typing import Any

import httpx
from django.conf import settings

from agentops_site.integrations.blaxel_http import api_url

MAX_ANSWER_BYTES = 200_000_000
_end: ContextVar[float] = ContextVar("blaxel_deadline")
_lock = threading.Lock()
_LOGGERS = ("httpx", "urllib3", "httpcore")


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


class BoundedClient(httpx.Client):
    """Ends each request at the block's deadline, whatever the SDK asks for: a dripping server outlives limits per read."""

    def send(self, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        """Send, read the whole answer within the deadline and the size limit, and return it."""
        left = _end.get(time.monotonic() + settings.BLAXEL_SECONDS) - time.monotonic()
        if left <= 0:
            raise httpx.ReadTimeout("out of time", request=request)
        cut = _Cut()
        request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), left)
        request.extensions["trace"] = cut.watch
        timer = threading.Timer(left, cut.now)
        timer.daemon = True
        timer.start()
        try:
            response = super().send(request, **{**kwargs, "stream": True})
            return _read(response)
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


def _read(response: httpx.Response) -> httpx.Response:
    body = bytearray()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise TooLarge(f"an answer of more than {MAX_ANSWER_BYTES // 1_000_000} MB")
    finally:
        response.close()
    response._content = bytes(body)  # what `read()` does, with a limit
    return response


def errors() -> tuple[type[Exception], ...]:
    """Return all that the SDK is known to raise (contracts: section 2.4)."""
    from blaxel.core.authentication.types import CredentialsError
    from blaxel.core.errors import BlaxelError

    shapes = (ValueError, KeyError, TypeError, AttributeError, AssertionError, RuntimeError)
    return (BlaxelError, CredentialsError, httpx.HTTPError, TimeoutError, *shapes)


def sandboxes() -> Any:
    """Return the SDK's class of sandboxes, set to our credentials, address and limits."""
    with _lock, _own_logging():
        instances = _imported()
        _set_up()
    return instances


@cache
def _imported() -> Any:
    for name, value in (
        ("DO_NOT_TRACK", "1"),
        ("BL_SANDBOX_READ_RETRIES", "1"),
        ("BL_FS_PART_RETRIES", "1"),
    ):
        os.environ.setdefault(name, value)
    from blaxel.core.sandbox import SyncSandboxInstance

    return SyncSandboxInstance


@contextlib.contextmanager
def _own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, before in levels.items():
            logging.getLogger(name).setLevel(before)
        if not levels["httpx"]:
            logging.getLogger("httpx").setLevel(
                logging.WARNING
            )  # it would log a line for every call


def _set_up() -> None:
    from blaxel.core.authentication.apikey import ApiKey
    from blaxel.core.authentication.types import CredentialsType
    from blaxel.core.client.client import client
    from blaxel.core.common.settings import settings as sdk

    key, workspace = settings.BL_API_KEY, settings.BL_WORKSPACE
    sdk.auth = ApiKey(CredentialsType(api_key=key, workspace=workspace), workspace, api_url())
    control = BoundedClient(
        base_url=api_url(),
        auth=sdk.auth,
        headers={"Blaxel-Version": sdk.api_version},
        verify=_tls(),
    )
    client.set_httpx_client(control)


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # 60 ms; the SDK would make one for every call


def bound(part: Any) -> None:
    """Have a part of a sandbox's instance (process, fs) send through our client."""
    from blaxel.core.common.settings import settings as sdk

    def get_client() -> BoundedClient:
        headers = {**sdk.headers, **part.sandbox_config.headers}
        return BoundedClient(base_url=part.url, headers=headers, verify=_tls())

    part.get_client = get_client
