"""Nudges: tells open pages that something changed, never what. The page then asks for its own part over HTTP.

A nudge carries no data, so nothing can leak through a socket that outlived a right or a session. One Redis subscription a
web process, while anybody listens; each member keeps at most `MOST_PENDING` nudges, so that a stalled page costs nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import redis.asyncio
from django.conf import settings
from redis.exceptions import RedisError

from monitoring.realtime import CHANNEL

log = logging.getLogger(__name__)

MOST_PENDING = 32
COALESCE_SECONDS = 0.02
IDLE_SECONDS = 5.0
SILENT_SECONDS = 12.0
RETRY_SECONDS = 1.0
EVERYTHING: dict[str, Any] = {"kind": "everything"}
"""Handed to every member after the broker was lost: whatever was said meanwhile was not heard."""

Event = dict[str, Any]
_feeds: WeakKeyDictionary[asyncio.AbstractEventLoop, Feed] = WeakKeyDictionary()


class Member:
    """One socket. `wants` names the nudge that an event means for it ("" for none); equal nudges are sent once."""

    def __init__(
        self, wants: Callable[[Event], str], send: Callable[[str], Awaitable[None]]
    ) -> None:
        self._wants, self._send = wants, send
        self._pending: dict[str, None] = {}
        self._wake = asyncio.Event()

    def offer(self, event: Event) -> None:
        """Take an event in; beyond the limit the oldest nudge is dropped, since pages also ask by themselves."""
        nudge = self._wants(event)
        if not nudge:
            return
        self._pending.setdefault(nudge)
        while len(self._pending) > MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        self._wake.set()

    async def pump(self) -> None:
        """Send what is pending until cancelled, or until the line breaks."""
        with suppress(OSError):
            while True:
                await self._wake.wait()
                await asyncio.sleep(COALESCE_SECONDS)
                self._wake.clear()
                pending, self._pending = list(self._pending), {}
                for nudge in pending:
                    await self._send(nudge)


class Feed:
    """The members of one event loop, and the task that listens for them."""

    def __init__(self) -> None:
        self.members: set[Member] = set()
        self._listening: asyncio.Task[None] | None = None
        self._hears = False

    def join(self, member: Member) -> None:
        """Take a member in; with the first one listening begins.

        Each is told of `EVERYTHING` once we listen: something may have happened since its page was made.
        """
        self.members.add(member)
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen())
        elif self._hears:
            member.offer(EVERYTHING)

    def leave(self, member: Member) -> None:
        """Let a member go; with the last one listening ends."""
        self.members.discard(member)
        if not self.members and self._listening is not None:
            self._listening.cancel()
            self._listening, self._hears = None, False

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except (RedisError, OSError) as error:
                log.info("No nudges while the broker is away: %s", error)
            self._hears = False
            await asyncio.sleep(RETRY_SECONDS)

    async def _hear(self) -> None:
        broker = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2)
        async with broker, broker.pubsub() as subscription:
            await subscription.subscribe(CHANNEL)
            self._hears = True
            self._hand_out(EVERYTHING)
            silent = 0.0
            while silent < SILENT_SECONDS:
                message = await subscription.get_message(timeout=IDLE_SECONDS)
                if message is None:
                    silent += IDLE_SECONDS
                    await subscription.ping()  # a half-open line answers nothing, not even this
                    continue
                silent = 0.0
                if message["type"] == "message":
                    self._hand_out(_event(message["data"]))

    def _hand_out(self, event: Event) -> None:
        for member in self.members:
            member.offer(event)


def feed_of_this_loop() -> Feed:
    """Return the feed of the running event loop, made on first use."""
    loop = asyncio.get_running_loop()
    if loop not in _feeds:
        _feeds[loop] = Feed()
    return _feeds[loop]


def _event(raw: bytes) -> Event:
    try:
        event = json.loads(raw)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
