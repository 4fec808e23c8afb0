"""The periodic jobs of monitoring: thin, idempotent, and safe to run in any number of workers."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from monitoring import operations, rollups, snapshots


@shared_task
def probe_due() -> None:
    """Ask every service that is due before the next tick."""
    operations.probe_due(now=timezone.now())


@shared_task
def keep_last_known_good() -> None:
    """Store the trees of services that are proven healthy."""
    snapshots.keep_last_known_good(now=timezone.now())


@shared_task
def prune() -> None:
    """Delete what is too old."""
    rollups.flush()
    rollups.prune(now=timezone.now())
