"""The socket of the team's pages: lets signed-in people in, and hands the rest to the hub."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from incidents.consumers.client import (
    NOT_ALLOWED,
    READ_AGAIN,
    SIGNED_OUT,
    TOO_MANY,
    Client,
    Identity,
    page_from,
)
from incidents.consumers.hub import hub_of_this_loop
from teams import access
from teams.models import User
from teams.roles import Verb

log = logging.getLogger(__name__)

MAX_PER_PERSON = 20


class TeamSocket(AsyncWebsocketConsumer):
    """One open page of a signed-in person."""

    client: Client | None = None
    pump: asyncio.Task[None] | None = None
    closing: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Accept, and close at once with the reason's code when this person may not have a live page.

        A refused handshake would tell the browser nothing, and its page would try again for ever.
        """
        await self.accept()
        user, session = self.scope["user"], self.scope["session"].session_key
        if user is None or user.pk is None or session is None:
            await self.close(code=SIGNED_OUT)
            return
        hub = hub_of_this_loop()
        identity = await _admitted(user.pk, session)
        if identity is None:
            await self.close(code=NOT_ALLOWED)
            return
        if hub.count_of(identity.person) >= MAX_PER_PERSON:
            await self.close(code=TOO_MANY)
            return
        self.client = Client(
            identity, page_from(self.scope["query_string"]), send=self._send, close=self._end
        )
        self.pump = asyncio.create_task(self.client.pump())
        self.pump.add_done_callback(self._pump_ended)
        hub.join(self.client)

    def _pump_ended(self, pump: asyncio.Task[None]) -> None:
        """Close a line that takes nothing any more: a page that only looks live would be believed."""
        if not pump.cancelled() and (error := pump.exception()):
            log.error("A page could not be sent to", exc_info=error)
            self.closing = asyncio.create_task(self.close(code=READ_AGAIN))

    async def _send(self, text: str) -> None:
        await self.send(text_data=text)

    async def _end(self, code: int) -> None:
        await self.close(code=code)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Answer a ping; nothing else that a page says is listened to."""
        if text_data == "ping":
            with suppress(OSError):  # a line that broke: `disconnect` is next, and must come
                await self.send(text_data="<!-- pong -->")

    async def disconnect(self, code: int) -> None:
        """Leave the hub; what was queued is not sent any more."""
        if self.client is not None:
            hub_of_this_loop().leave(self.client)
        if self.pump is not None:
            self.pump.cancel()
            await asyncio.wait([self.pump])


@database_sync_to_async
def _admitted(pk: int, session_key: str) -> Identity | None:
    """Return who this is when the stored account may look at pages, else None."""
    person = User.objects.filter(pk=pk).first()
    if person is None or not person.is_admitted or not access.may(person, Verb.VIEW).allowed:
        return None
    return Identity(
        person=person.pk,
        role=person.role,
        time_zone=person.time_zone,
        session=session_key,
        auth_hash=person.get_session_auth_hash(),
    )
