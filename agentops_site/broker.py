"""The site's own look at the broker: is it there, do workers live, how long are the queues."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import redis
from django.conf import settings

QUEUES = ("agent", "probes")
BEAT_SECONDS = 2.0
ALIVE_SECONDS = 10
TIMEOUT = 0.5


@dataclass(frozen=True, kw_only=True)
class BrokerState:
    """What the broker says: whether it answers, and per queue whether a worker lives and how much waits."""

    answers: bool
    alive: dict[str, bool]
    waiting: dict[str, int]


@cache
def client(url: str = "") -> redis.Redis:
    """Return this process's kept client; short timeouts, since a health page must not hang with the broker."""
    return redis.Redis.from_url(
        url or settings.REDIS_URL, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT
    )


def alive_key(queue: str) -> str:
    """Return the key under which a worker of the queue says that it lives."""
    return f"agentops:alive:{queue}"


def say_alive(queues: list[str]) -> None:
    """Leave a sign of life for each queue that this worker consumes; it fades by itself."""
    with client().pipeline(transaction=False) as pipe:
        for queue in queues:
            pipe.set(alive_key(queue), 1, ex=ALIVE_SECONDS)
        pipe.execute()


def state() -> BrokerState:
    """Ask the broker in one round trip; an absent broker is a state and no error."""
    try:
        with client().pipeline(transaction=False) as pipe:
            for queue in QUEUES:
                pipe.exists(alive_key(queue))
                pipe.llen(queue)
            said = pipe.execute()
    except (redis.RedisError, OSError):
        return BrokerState(answers=False, alive=dict.fromkeys(QUEUES, False), waiting={})
    return BrokerState(
        answers=True,
        alive={queue: bool(said[2 * place]) for place, queue in enumerate(QUEUES)},
        waiting={queue: int(said[2 * place + 1]) for place, queue in enumerate(QUEUES)},
    )
