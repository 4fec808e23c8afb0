"""Remembers for some seconds that somebody looks at something, so that what nobody looks at is not polled."""

from __future__ import annotations

from functools import cache

import redis
from django.conf import settings

SECONDS = 15
_TIMEOUT = 0.5


def note(what: str) -> None:
    """Say that `what` is being looked at; without a broker nothing is remembered."""
    try:
        _client(settings.REDIS_URL).set(_key(what), 1, ex=SECONDS)
    except (redis.RedisError, OSError):
        return


def anybody(what: str) -> bool:
    """Return whether somebody looked at `what` within the last `SECONDS`."""
    try:
        return bool(_client(settings.REDIS_URL).exists(_key(what)))
    except (redis.RedisError, OSError):
        return False


def _key(what: str) -> str:
    return f"agentops:watched:{what}"


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
