"""Sockets: shoppers hear of their own orders, the team of everything, and nobody is sent any data."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore

from monitoring import feed
from monitoring.live_socket import LiveSocket
from monitoring.realtime import CHANNEL
from shop import announce, cart
from shop.consumers import MOST_PER_SHOPPER, ShopperSocket
from teams.models import User

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = 10.0


def publish(**event: object) -> None:
    """Say something on the real channel."""
    redis.Redis.from_url(settings.REDIS_URL).publish(CHANNEL, json.dumps(event))


def shopper_session() -> SessionStore:
    """Return a session that has bought something."""
    session = SessionStore()
    cart.shopper(session)
    session.save()
    return session


def line(app: Any, path: str, **scope: Any) -> WebsocketCommunicator:
    """Return a socket to a consumer."""
    communicator = WebsocketCommunicator(app.as_asgi(), path)
    known: Any = communicator.scope
    known.update(scope)
    return communicator


async def opened(communicator: WebsocketCommunicator) -> WebsocketCommunicator:
    """Connect and wait until the feed listens: then everything counts as changed once."""
    connected, _ = await communicator.connect(timeout=LIMIT)
    assert connected
    await communicator.receive_from(timeout=LIMIT)
    return communicator


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run one test's conversation, in a thread: browser tests leave a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(test())).result()


def test_a_shopper_is_nudged_by_its_own_order_only_and_told_nothing() -> None:
    session = shopper_session()
    mine = announce.audience(cart.shopper(session))

    async def talk() -> None:
        socket = await opened(line(ShopperSocket, "/ws/shop/?order=ABCD-EFGH", session=session))
        publish(kind=announce.KIND, audience="somebody else", code="ABCD-EFGH")
        publish(kind=announce.KIND, audience=mine, code="ZZZZ-ZZZZ")
        publish(kind="health", service="shop")
        assert await socket.receive_nothing(timeout=0.4)
        publish(kind=announce.KIND, audience=mine, code="ABCD-EFGH", order="ord_secret")
        nudge = await socket.receive_from(timeout=LIMIT)
        assert 'hx-get="/shop/orders/ABCD-EFGH/state/"' in nudge
        assert "ord_secret" not in nudge
        await socket.disconnect()

    run(talk)


def test_a_session_without_orders_is_sent_away_with_a_code() -> None:
    async def talk() -> None:
        socket = line(ShopperSocket, "/ws/shop/", session=SessionStore())
        connected, _ = await socket.connect(timeout=LIMIT)
        assert connected
        closed = await socket.receive_output(timeout=LIMIT)
        assert (closed["type"], closed["code"]) == ("websocket.close", 4403)

    run(talk)


def test_a_shopper_has_a_bounded_number_of_sockets() -> None:
    session = shopper_session()

    async def talk() -> None:
        sockets = [
            await opened(line(ShopperSocket, "/ws/shop/", session=session))
            for _ in range(MOST_PER_SHOPPER)
        ]
        extra = line(ShopperSocket, "/ws/shop/", session=session)
        await extra.connect(timeout=LIMIT)
        closed = await extra.receive_output(timeout=LIMIT)
        assert closed["code"] == 4429
        for socket in sockets:
            await socket.disconnect()
        again = await opened(line(ShopperSocket, "/ws/shop/", session=session))
        await again.disconnect()

    run(talk)


def test_what_a_page_says_about_its_order_cannot_carry_html() -> None:
    session = shopper_session()

    async def talk() -> None:
        path = '/ws/shop/?order="><script>'
        socket = line(ShopperSocket, path, session=session)
        await socket.connect(timeout=LIMIT)
        nudge = await socket.receive_from(timeout=LIMIT)
        assert "<script" not in nudge
        assert 'hx-get="/shop/orders/list/"' in nudge
        await socket.disconnect()

    run(talk)


def test_a_member_of_the_team_is_nudged_by_orders_and_health(bhumika: User) -> None:
    async def talk() -> None:
        socket = await opened(line(LiveSocket, "/ws/live/", user=bhumika))
        publish(kind=announce.KIND, service="shop", orders=["ord_1"])
        assert "/live/panels/" in await socket.receive_from(timeout=LIMIT)
        publish(kind="health", service="shop")
        assert "/live/panels/" in await socket.receive_from(timeout=LIMIT)
        publish(kind="person", id=bhumika.pk)
        closed = await socket.receive_output(timeout=LIMIT)
        assert (closed["type"], closed["code"]) == ("websocket.close", 1013)

    run(talk)


def test_nobody_signed_out_gets_the_live_socket() -> None:
    async def talk() -> None:
        socket = line(LiveSocket, "/ws/live/", user=AnonymousUser())
        await socket.connect(timeout=LIMIT)
        closed = await socket.receive_output(timeout=LIMIT)
        assert closed["code"] == 4401

    run(talk)


def test_a_stalled_page_keeps_a_bounded_number_of_nudges() -> None:
    async def talk() -> None:
        never = asyncio.Event()

        async def stalled(_text: str) -> None:
            await never.wait()

        member = feed.Member(lambda event: str(event["n"]), stalled)
        pump = asyncio.create_task(member.pump())
        for number in range(1000):
            member.offer({"n": number})
        await asyncio.sleep(0)
        assert len(member._pending) <= feed.MOST_PENDING
        pump.cancel()

    run(talk)


def test_after_the_broker_was_lost_every_page_reads_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "RETRY_SECONDS", 0.05)
    session = shopper_session()

    async def talk() -> None:
        socket = await opened(line(ShopperSocket, "/ws/shop/", session=session))
        client = redis.Redis.from_url(settings.REDIS_URL)
        client.client_kill_filter(_type="pubsub")
        assert "/shop/orders/list/" in await socket.receive_from(timeout=LIMIT)
        await socket.disconnect()

    run(talk)
