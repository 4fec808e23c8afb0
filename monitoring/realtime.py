"""Tells the web processes that something changed. Publish only: who listens, and what they make of it, is theirs."""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import Any

import redis
from django.conf import settings
from django.db import transaction

log = logging.getLogger(__name__)

CHANNEL = "agentops:events"
MISSED = '{"kind":"missed"}'
SILENCE_SECONDS = 3.0
_TIMEOUT = 1.0
_silent_until = 0.0
_missed = False
_lock = threading.Lock()
_clients: dict[str, redis.Redis] = {}


def publish(kind: str, payload: dict[str, Any]) -> None:
    """Send {"kind": kind, **payload} as JSON to `CHANNEL` once the transaction has committed; never raises.

    A push is a hint: a page reads its state from the database when it connects. A kept synchronous client costs
    0.7 ms a message where `async_to_sync(group_send)` costs 6 to 16 ms.
    """
    message = json.dumps({"kind": kind, **payload}, default=str, separators=(",", ":"))
    transaction.on_commit(lambda: _send(message))


def _send(message: str) -> None:
    """Publish; after a failure stay silent for a while, so that a storm of changes does not wait for each message.

    The first message that gets through afterwards is followed by one that says that some were missed.
    """
    global _silent_until, _missed
    if time.monotonic() < _silent_until:
        _missed = True
        return
    try:
        _client().publish(CHANNEL, message)
        if _missed:
            _client().publish(CHANNEL, MISSED)
        _missed = False
    except (redis.RedisError, OSError) as error:
        _silent_until, _missed = time.monotonic() + SILENCE_SECONDS, True
        log.warning("Nothing is pushed for %s s, the broker is away: %s", SILENCE_SECONDS, error)


def _client() -> redis.Redis:
    """Return this process's client; made on first use, never at import, so that no fork shares a socket."""
    with _lock:
        url = settings.REDIS_URL
        if url not in _clients:
            _clients[url] = redis.Redis.from_url(
                url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT
            )
        return _clients[url]
