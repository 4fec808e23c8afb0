"""One hub a web process: a single Redis subscription, one rendering a role, and a loop over its own sockets.

Why not the channel layer: docs/decisions/0002. The database is the truth and a message only says that something
changed; what was missed while the broker was away is read again when it is back.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import redis.asyncio
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections
from redis.exceptions import RedisError

from incidents.consumers import admission
from incidents.consumers.client import READ_AGAIN, Client
from incidents.consumers.rounds import Dirty, Round
from incidents.consumers.went_on import WentOn
from monitoring.realtime import CHANNEL

log = logging.getLogger(__name__)
T = TypeVar("T")

COALESCE_SECONDS = 0.001
RECHECK_SECONDS = 5.0
IDLE_SECONDS = 5.0
SILENT_SECONDS = 12.0
RETRY_SECONDS = (0.1, 2.0)
PAUSE_AFTER_ERROR = 0.5
LATE_SECONDS = 30.0  # a page's socket is open within this time after the page was made

_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub_of_this_loop() -> Hub:
    """Return the hub of the running event loop, made on first use."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]


class Hub:
    """Listens while anybody looks, and sleeps when nobody does."""

    def __init__(self) -> None:
        """Start with nobody."""
        self.clients: set[Client] = set()
        self._dirty = Dirty()
        self._wake = asyncio.Event()
        self._round = Round()
        self._went_on = WentOn()
        self._tasks: list[asyncio.Task[None]] = []
        self._thread: ThreadPoolExecutor | None = None
        self._listened = False
        self._stirred = -LATE_SECONDS

    def join(self, client: Client) -> None:
        """Take a socket in, and bring its page up to date if something happened since it was made."""
        self.clients.add(client)
        if not self._tasks:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="push")
            loops = (self._listen, self._work, self._recheck)
            self._tasks = [asyncio.create_task(self._kept(loop)) for loop in loops]
            for task in self._tasks:
                task.add_done_callback(self._fallen)
        self._dirty.joined.add(client)
        if monotonic() - self._stirred < LATE_SECONDS:
            self._dirty.late.add(client)
        self._wake.set()

    def leave(self, client: Client) -> None:
        """Let a socket go; with the last one everything stops."""
        self.clients.discard(client)
        self._dirty.joined.discard(client)
        self._dirty.late.discard(client)
        self._round.forget_all_but(self.clients)
        if not self.clients:
            self._stop()

    def count_of(self, person: int) -> int:
        """Return how many sockets a person has here."""
        return sum(client.identity.person == person for client in self.clients)

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        if self._thread is not None:
            self._thread.submit(connections.close_all)
            self._thread.shutdown(wait=False)
            self._thread = None
        self._dirty, self._round, self._went_on = Dirty(), Round(), WentOn()
        self._listened = False

    def _fallen(self, task: asyncio.Task[None]) -> None:
        """Close every socket when a loop died of an error of ours: a page that stays silent for ever would look well."""
        if task.cancelled() or task not in self._tasks:
            return
        log.error("Push fell and starts anew", exc_info=task.exception())
        for client in self.clients:
            client.end(READ_AGAIN)
        self._stop()

    async def _kept(self, loop: Callable[[], Any]) -> None:
        """Go on when the database is back, with everything counted as changed."""
        while True:
            try:
                await loop()
            except (DatabaseError, InterfaceError) as error:
                log.warning("Push waits for the database: %s", error)
                self._mark_all()
                await asyncio.sleep(PAUSE_AFTER_ERROR)

    def _mark_all(self) -> None:
        self._dirty.everything = True
        self._wake.set()

    # ---- listening ------------------------------------------------------------------------------------------------
    async def _listen(self) -> None:
        """Hear what changed; after every loss of the broker all open pages count as changed."""
        shortest, longest = RETRY_SECONDS
        pause = shortest
        while True:
            begun = monotonic()
            try:
                async with redis.asyncio.Redis.from_url(
                    settings.REDIS_URL, socket_connect_timeout=2
                ) as broker:
                    await self._hear(broker)
            except (RedisError, OSError) as error:
                log.warning("Push lost the broker: %s", error)
            await asyncio.sleep(pause)
            pause = shortest if monotonic() - begun > SILENT_SECONDS else min(pause * 2, longest)

    async def _hear(self, broker: Any) -> None:
        async with broker.pubsub() as subscription:
            await subscription.subscribe(CHANNEL)
            heard = monotonic()
            while monotonic() - heard < SILENT_SECONDS:
                message = await subscription.get_message(timeout=IDLE_SECONDS)
                if message is None:
                    await subscription.ping()  # a half-open line answers nothing, not even this
                    continue
                heard = monotonic()
                if message["type"] == "subscribe":
                    self._subscribed()  # only now: what is published before the broker says so is not heard
                elif message["type"] == "message":
                    self._note(message["data"])
        raise ConnectionError("the broker has fallen silent")

    def _subscribed(self) -> None:
        """Look at the open pages again: what happened before the line was (back) up was not heard."""
        if self._listened:
            self._mark_all()
        self._listened = True
        self._stirred = monotonic()
        self._dirty.joined |= self.clients
        self._dirty.late |= self.clients
        self._dirty.people |= {client.identity.person for client in self.clients}
        self._wake.set()

    def _note(self, raw: bytes) -> None:
        try:
            event = json.loads(raw)
        except ValueError:
            log.warning("Not an event: %r", raw[:80])
            return
        if isinstance(event, dict) and self._dirty.note(event):
            self._stirred = monotonic()
            self._wake.set()

    # ---- working --------------------------------------------------------------------------------------------------
    async def _work(self) -> None:
        """Take what changed, a few milliseconds' worth at once, render it and fan it out; one round at a time."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(COALESCE_SECONDS)
            self._wake.clear()
            dirty, self._dirty = self._dirty, Dirty()
            if dirty.people:
                await self._check({c for c in self.clients if c.identity.person in dirty.people})
            await self._round.run(dirty, self.clients, self._in_thread)

    async def _recheck(self) -> None:
        """Look on the beat for what no event told: sessions that ended, and incidents that went on."""
        while True:
            await self._check(set(self.clients))
            for pk in await self._in_thread(self._went_on.look):
                self._dirty.note({"kind": "incident", "id": pk})
                self._wake.set()
            await asyncio.sleep(RECHECK_SECONDS)

    async def _check(self, clients: set[Client]) -> None:
        """End the sockets of people who signed out, were deactivated, or have another role by now."""
        identities = {client.identity for client in clients}
        codes = await self._in_thread(lambda: admission.verdicts(identities))
        for client in clients:
            if client.identity in codes:
                client.end(codes[client.identity])

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Run database work in the hub's own thread, whose connection is kept and made anew when it broke."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, _with_database, work)


def _with_database(work: Callable[[], T]) -> T:
    try:
        return work()
    except (DatabaseError, InterfaceError):
        connections.close_all()
        return work()
