"""The shopper's socket: anonymous, and limited to the orders of its own session."""

from __future__ import annotations

import asyncio
from collections import Counter

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.urls import reverse

from monitoring.feed import EVERYTHING, Event, Member, feed_of_this_loop
from monitoring.live_socket import nudge_html
from shop import announce, cart

NOT_A_SHOPPER, TOO_MANY = 4403, 4429
MOST_PER_SHOPPER = 10
_open: Counter[str] = Counter()


class ShopperSocket(AsyncWebsocketConsumer):
    """One open page of orders. It is told that one of its own orders changed, and reads it with its own session."""

    audience = ""
    code = ""
    member: Member | None = None
    pump: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Let a session in that has bought something."""
        await self.accept()
        shopper = await database_sync_to_async(cart.known_shopper)(self.scope["session"])
        if not shopper:
            await self.close(code=NOT_A_SHOPPER)
            return
        audience = announce.audience(shopper)
        if _open[audience] >= MOST_PER_SHOPPER:
            await self.close(code=TOO_MANY)
            return
        _open[audience] += 1
        self.audience = audience
        self.code = _order_of(self.scope["query_string"])
        self.member = Member(self._nudge, self._send)
        self.pump = asyncio.create_task(self.member.pump())
        feed_of_this_loop().join(self.member)

    def _nudge(self, event: Event) -> str:
        if event.get("kind") == EVERYTHING["kind"]:
            return self._page()
        if event.get("kind") != announce.KIND or event.get("audience") != self.audience:
            return ""
        return self._page() if self.code in ("", event.get("code")) else ""

    def _page(self) -> str:
        if self.code:
            return nudge_html(reverse("shop:order_state", args=[self.code]), "order")
        return nudge_html(reverse("shop:orders_list"), "orders")

    async def _send(self, nudge: str) -> None:
        await self.send(text_data=nudge)

    async def disconnect(self, code: int) -> None:
        """Leave the feed."""
        if self.member is not None:
            feed_of_this_loop().leave(self.member)
            _open[self.audience] -= 1
            if _open[self.audience] < 1:
                del _open[self.audience]
        if self.pump is not None:
            self.pump.cancel()


def _order_of(query: bytes) -> str:
    """Return the order that the page shows, "" for the list; it only chooses what is read again."""
    name, _, code = query.decode("latin-1").partition("=")
    clean = code[:12].replace("-", "")
    return code[:12] if name == "order" and clean.isalnum() and clean.isascii() else ""
