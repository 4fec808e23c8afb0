"""Serves each request wholly in one thread of a pool: what Django's own handler spreads over a new thread and several hops.

Django's handler gives every request a thread of its own, so that no database connection can be kept: SQLite reads
the whole schema again, PostgreSQL shakes hands again. And since some of our middleware is synchronous, a request goes
to that thread, back to the event loop and into the thread again, each time waiting for whoever else computes. All our
views are synchronous. One hop and a kept connection halve what a page costs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import IO, Any, cast

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import connections
from django.http import FileResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

# Far more than can compute at once: views of shoppers may all wait some seconds for a shop that hangs, and the team's
# pages must not stand behind them.
THREADS = 48
KEEP_SECONDS = 60
Scope = MutableMapping[str, Any]


class PooledHandler(ASGIHandler):
    """Django's ASGI handler for synchronous views. A shopper who goes away does not interrupt a view, as under WSGI."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware(is_async=False)
        self._pool = ThreadPoolExecutor(THREADS, "view", initializer=_keep_connections)

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise ValueError(f"This serves HTTP, and not {scope['type']}.")
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            loop, serve = asyncio.get_running_loop(), copy_context().run
            response = await loop.run_in_executor(self._pool, serve, self._served, scope, body)
            if not response.streaming:
                await self.send_response(response, send)
                return
            async with (
                ThreadSensitiveContext()
            ):  # read and closed in one thread, also what it asks of the database
                try:
                    await self.send_response(response, send)
                finally:
                    await sync_to_async(response.close)()

    def _served(self, scope: Scope, body: IO[bytes]) -> HttpResponseBase:
        """Return the answer; one that is not streamed is closed here, since closing it tidies this thread."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        found = refusal if request is None else self.get_response(request)
        response = cast(HttpResponseBase, found)  # one of the two is always there
        response._handler_class = self.__class__  # type: ignore[attr-defined]  # the sender of request_finished
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if not response.streaming:
            response.close()
        return response


def _keep_connections() -> None:
    """Have this thread keep its connections; everywhere else under ASGI they are closed after use."""
    for connection in connections.all():
        connection.settings_dict = {**connection.settings_dict, "CONN_MAX_AGE": KEEP_SECONDS}
