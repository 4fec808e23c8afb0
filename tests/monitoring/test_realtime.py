"""Pushing: after commit, on a kept connection, and never at the cost of the work that caused it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest
import redis
from django.conf import LazySettings, settings
from django.db import transaction

from monitoring import realtime

pytestmark = pytest.mark.django_db(transaction=True)
SEND = realtime._send


@pytest.fixture(autouse=True)
def really_send(hints_sent: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo the capturing of the other tests: here the edge itself is looked at."""
    monkeypatch.setattr(realtime, "_send", SEND)
    monkeypatch.setattr(realtime, "_silent_until", 0.0)
    monkeypatch.setattr(realtime, "_missed", False)


@pytest.fixture
def listener() -> Iterator[redis.client.PubSub]:
    with redis.Redis.from_url(settings.REDIS_URL) as client, client.pubsub() as subscription:
        subscription.subscribe(realtime.CHANNEL)
        assert subscription.get_message(timeout=5)
        yield subscription


def test_a_message_arrives_once_the_transaction_has_committed(
    listener: redis.client.PubSub,
) -> None:
    with transaction.atomic():
        realtime.publish("health", {"slug": "shop"})
        assert listener.get_message(timeout=0.1) is None
    message = listener.get_message(timeout=5)
    assert message is not None
    assert json.loads(message["data"]) == {"kind": "health", "slug": "shop"}


def test_what_was_rolled_back_is_not_told(listener: redis.client.PubSub) -> None:
    with transaction.atomic():
        realtime.publish("health", {})
        transaction.set_rollback(True)
    assert listener.get_message(timeout=0.1) is None


def test_a_broker_that_swallows_everything_costs_one_time_limit(
    settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime, "_TIMEOUT", 0.3)
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(16)
        settings.REDIS_URL = f"redis://127.0.0.1:{hole.getsockname()[1]}/0"
        began = time.monotonic()
        for _ in range(50):
            realtime.publish("health", {})
        assert time.monotonic() - began < 50 * 0.3 / 5


def test_a_broker_that_is_away_raises_nothing(settings: LazySettings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    realtime.publish("health", {})


def test_after_a_silence_it_is_told_that_something_was_missed_and_only_once(
    listener: redis.client.PubSub, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    realtime.publish("health", {})
    settings.REDIS_URL = url
    realtime.publish("bell", {})  # within the silence
    monkeypatch.setattr(realtime, "_silent_until", 0.0)
    realtime.publish("agent", {})
    realtime.publish("speech", {})
    told = [listener.get_message(timeout=5) for _ in range(3)]
    kinds = [json.loads(message["data"])["kind"] for message in told if message]
    assert kinds == ["agent", "missed", "speech"]
    assert listener.get_message(timeout=0.1) is None
