"""A worker's sign of life in the broker: cheaper than `inspect ping`, which costs a second and a round of messages."""

from __future__ import annotations

import logging
from typing import Any

import redis
from celery import bootsteps

from agentops_site import broker

log = logging.getLogger(__name__)


class Heartbeat(bootsteps.StartStopStep):
    """Runs on the worker's own timer, so that a worker whose loop hangs falls silent too."""

    requires = ("celery.worker.components:Timer",)

    def __init__(self, parent: Any, **options: Any) -> None:
        """Start without a timer; `start` sets it."""
        super().__init__(parent, **options)
        self._entry: Any = None

    def start(self, parent: Any) -> None:
        """Say it at once and then every two seconds."""
        queues = sorted(parent.app.amqp.queues.consume_from)
        _say(queues)
        self._entry = parent.timer.call_repeatedly(broker.BEAT_SECONDS, _say, (queues,))

    def stop(self, parent: Any) -> None:
        """Fall silent."""
        if self._entry is not None:
            self._entry.cancel()
            self._entry = None


def _say(queues: list[str]) -> None:
    try:
        broker.say_alive(queues)
    except (redis.RedisError, OSError) as error:
        log.warning("No sign of life left, the broker is away: %s", error)
