"""Enqueueing by task name after commit, so that views and steps need not import tasks."""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

RUN = "incidents.tasks.run_incident"
CONSUME = "incidents.tasks.consume_health_changes"


def enqueue(task: str, *arguments: object) -> None:
    """Send the task once the current transaction has committed.

    The queue is a hint and the database the truth: when the broker is away the beat jobs find the work.
    """
    transaction.on_commit(lambda: _send(task, arguments))


def _send(task: str, arguments: tuple[object, ...]) -> None:
    try:
        current_app.send_task(task, args=arguments, queue="agent", retry=False)
    except OperationalError:
        log.warning("The broker is away; beat will pick up %s%r.", task, arguments)
