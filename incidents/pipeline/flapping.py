"""Services that go up and down all the time: one incident is kept open until they are steady, and says so once."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q

from incidents.models import Deployment, Incident
from incidents.states import BEFORE_DEPLOY
from incidents.timeline import note
from monitoring.models import FaultInjection, HealthChange, Service
from monitoring.standing import FAILING
from monitoring.values import Health

KIND = "flapping"


def is_flapping(service: Service, *, now: datetime) -> bool:
    """Say whether the service went up or down FLAP_CHANGES times in FLAP_SECONDS, by itself.

    Faults that people inject and take out, and what we deploy, start the count anew: their ups and downs have a reason.
    """
    return _crossings(service, now) >= settings.FLAP_CHANGES


def hold(incident: Incident, *, now: datetime) -> None:
    """Keep an incident open although its service is well at the moment; said once, however often it happens."""
    if incident.timeline.filter(kind=KIND).exists():
        return
    count = _crossings(incident.service, now)
    minutes = settings.FLAP_SECONDS / 60
    note(
        incident,
        KIND,
        f"{incident.service.name} went up and down {count} times in {minutes:.0f} minutes. This incident stays open "
        f"until it has been well for {settings.FLAP_STEADY_SECONDS:.0f} seconds.",
    )


def steady_again(*, now: datetime) -> list[int]:
    """Return the held incidents whose service has been well for long enough."""
    since = now - timedelta(seconds=settings.FLAP_STEADY_SECONDS)
    held = Incident.objects.filter(status__in=BEFORE_DEPLOY, timeline__kind=KIND)
    well = Q(service__health__state=Health.HEALTHY, service__health__since__lte=since)
    return list(held.filter(well).values_list("pk", flat=True).distinct())


def _crossings(service: Service, now: datetime) -> int:
    since = max([now - timedelta(seconds=settings.FLAP_SECONDS), *_reasons(service)])
    seen = HealthChange.objects.filter(service=service, at__gt=since, at__lte=now)
    up = Q(before__in=FAILING, after=Health.HEALTHY)
    down = Q(after__in=FAILING) & ~Q(before__in=FAILING)
    return seen.filter(up | down).count()


def _reasons(service: Service) -> list[datetime]:
    """Return when somebody last changed the service on purpose."""
    injection = FaultInjection.objects.filter(service=service).order_by("-id").first()
    deployment = Deployment.objects.filter(incident__service=service).order_by("-id").first()
    found = [
        injection and injection.at,
        injection and injection.restored_at,
        deployment and (deployment.undone_at or deployment.healthy_at or deployment.started_at),
    ]
    return [moment for moment in found if moment]
