"""The least that a push can cost here: an ASGI application that sends each message of one Redis channel to all its sockets.

No people, no roles, no database, no templates; same server, same broker, same number of dashboards. `BENCH_CHANNEL` names
the channel. What our pages take is compared with this, because both depend on the machine.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import redis.asyncio

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

_open: set[Send] = set()
_tasks: list[asyncio.Task[None]] = []


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Take every socket in; answer 200 to every page."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"plain"})
        return
    if not _tasks:
        _tasks.append(asyncio.create_task(_broadcast()))
    await receive()
    await send({"type": "websocket.accept"})
    _open.add(send)
    while (await receive())["type"] != "websocket.disconnect":
        pass
    _open.discard(send)


async def _broadcast() -> None:
    async with (
        redis.asyncio.Redis.from_url(os.environ["REDIS_URL"]) as broker,
        broker.pubsub() as line,
    ):
        await line.subscribe(os.environ["BENCH_CHANNEL"])
        async for message in line.listen():
            if message["type"] != "message":
                continue
            text = message["data"].decode()
            for send in list(_open):
                with suppress(OSError):
                    await send({"type": "websocket.send", "text": text})
