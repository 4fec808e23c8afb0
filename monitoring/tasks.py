"""The periodic jobs of monitoring: thin, idempotent, and safe to run in any number of workers."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from monitoring import probing, rollups


@shared_task
def keep_probing() -> None:
    """Ask every service that is due, second after second, until the next message comes."""
    probing.keep_probing()


@shared_task
def probe_due() -> None:
    """Ask every service that is due now: somebody could not wait for the next second."""
    probing.probe_once()


@shared_task
def prune() -> None:
    """Delete what is too old."""
    rollups.flush()
    rollups.prune(now=timezone.now())
