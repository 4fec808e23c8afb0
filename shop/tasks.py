"""Tasks of the storefront: thin, safe to run twice."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from monitoring import realtime
from monitoring.staying import Stay
from shop import placement, shelf, tracking
from shop.models import TrafficRun
from shop.traffic import run as traffic

STAY = Stay(every=2.0, turns=3)


@shared_task
def serve_orders() -> None:
    """Place what waits in the outbox, once the shop answers, and push new and moved orders while somebody watches."""
    for _ in STAY.turns_of_a_message():
        try:
            placement.place_waiting(now=timezone.now())
        finally:
            tracking.look()


@shared_task
def refill_shelf() -> None:
    """Keep a fresh last good answer of catalogue and settings."""
    shelf.refill()


@shared_task
def drive_traffic(run_id: int) -> None:
    """Send a run's requests until it ends; a second delivery of the task finds it driven already."""
    run = TrafficRun.objects.select_related("service").filter(pk=run_id).first()
    if run is not None:
        traffic.drive(
            run, told=lambda one: realtime.publish("traffic", {"service": one.service.slug})
        )
