"""The live viewer's socket: nudges open viewers of the team when a service, an order or an incident changed."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import path
from django.utils.html import format_html

from monitoring.feed import EVERYTHING, Event, Member, feed_of_this_loop
from teams import access
from teams.models import User
from teams.roles import Verb

KINDS = {"shop.order", "health", "incident", "traffic", EVERYTHING["kind"]}
SIGNED_OUT, READ_AGAIN = 4401, 1013


class LiveSocket(AsyncWebsocketConsumer):
    """One open live viewer."""

    member: Member | None = None
    pump: asyncio.Task[None] | None = None
    person = 0
    told = 0.0

    async def connect(self) -> None:
        """Let in who may look; the code says why not, since a refused handshake would be retried for ever."""
        await self.accept()
        user = self.scope["user"]
        if user is None or not await _may_look(user):
            await self.close(code=SIGNED_OUT)
            return
        self.person = user.pk
        self.member = Member(self._nudge, self._send)
        self.pump = asyncio.create_task(self.member.pump())
        feed_of_this_loop().join(self.member)

    def _nudge(self, event: Event) -> str:
        if event.get("kind") == "person" and event.get("id") == self.person:
            return "leave"
        if event.get("kind") not in KINDS:
            return ""
        self.told = time.monotonic()
        return "look"

    async def _send(self, nudge: str) -> None:
        if (
            nudge == "leave"
        ):  # signed out, or another role: the page connects again and is judged anew
            await self.close(code=READ_AGAIN)
            return
        await self.send(
            text_data=nudge_html(
                f"/live/panels/?after={self.told:.6f}", "live-panels", include="#live-choice"
            )
        )

    async def disconnect(self, code: int) -> None:
        """Leave the feed."""
        if self.member is not None:
            feed_of_this_loop().leave(self.member)
        if self.pump is not None:
            self.pump.cancel()


def nudge_html(url: str, target: str, *, include: str = "") -> str:
    """Return the fragment that makes a page read one of its regions again (its `#nudge` takes it)."""
    return format_html(
        '<div id="nudge" hx-swap-oob="true" hidden><div hx-get="{}" hx-trigger="load" hx-target="#{}" '
        'hx-swap="outerHTML" hx-include="{}" hx-headers=\'{{"X-Refetch": "1"}}\'></div></div>',
        url,
        target,
        include or "this",
    )


@database_sync_to_async
def _may_look(user: Any) -> bool:
    person = User.objects.filter(pk=user.pk).first() if user.is_authenticated else None
    return person is not None and access.may(person, Verb.VIEW).allowed


socket: Any = LiveSocket.as_asgi()  # Django's `path` is typed for views only
websocket_urlpatterns: list[Any] = [path("ws/live/", socket)]
