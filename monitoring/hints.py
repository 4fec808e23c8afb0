"""Wakes workers by task name after commit. The database is the truth; a lost hint only costs a beat."""

from __future__ import annotations

import logging

from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)

PROBE_DUE = "monitoring.tasks.probe_due"


def health_changed() -> None:
    """Wake the consumer of `HealthChange` rows (`MONITORING_CHANGE_TASK`)."""
    transaction.on_commit(lambda: _send(settings.MONITORING_CHANGE_TASK, "agent"))


def probe_wanted() -> None:
    """Wake a prober now instead of at the next tick."""
    transaction.on_commit(lambda: _send(PROBE_DUE, "probes"))


def _send(task: str, queue: str) -> None:
    try:
        current_app.send_task(task, queue=queue, retry=False, expires=5)
    except OperationalError:
        log.warning("The broker is away; beat will send %s.", task)
