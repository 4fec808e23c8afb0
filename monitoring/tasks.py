"""The periodic jobs of monitoring: thin, idempotent, and safe to run in any number of workers."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from monitoring import configuration, operations, rollups, snapshots

WINDOW_SECONDS = 1.3
"""How far ahead a tick claims: more than the second to the next one, so that what a tick takes to claim, and what beat
and the queue take to bring it, delays no probe."""


@shared_task
def probe_due() -> None:
    """Ask every service that is due before the next tick has claimed."""
    operations.probe_due(now=timezone.now(), window=WINDOW_SECONDS)


@shared_task
def keep_last_known_good() -> None:
    """Store the trees of services that are proven healthy, and take up services that are new."""
    now = timezone.now()
    configuration.ensure_health(now=now)
    snapshots.keep_last_known_good(now=now)


@shared_task
def prune() -> None:
    """Delete what is too old."""
    rollups.flush()
    rollups.prune(now=timezone.now())
