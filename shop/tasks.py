"""Tasks of the storefront: thin, safe to run twice."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from shop import placement, shelf, tracking


@shared_task
def place_waiting_orders() -> None:
    """Place what waits in the outbox, once the shop answers."""
    placement.place_waiting(now=timezone.now())


@shared_task
def track_orders() -> None:
    """Push new and moved orders while somebody watches."""
    tracking.look()


@shared_task
def refill_shelf() -> None:
    """Keep a fresh last good answer of catalogue and settings."""
    shelf.refill()
