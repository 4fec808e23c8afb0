"""What becomes of a change of health: acted on now, left waiting, or dropped because it is over or was our own doing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

from django.conf import settings
from django.db.models import Q

from incidents.models import Deployment
from monitoring.models import HealthChange
from monitoring.standing import FAILING
from monitoring.values import Health


class Fate(Enum):
    """What is to be done with a change."""

    ACT = "act"
    WAIT = "wait"
    DROP = "drop"


def deployed_services(changes: Sequence[HealthChange]) -> set[int]:
    """Return the services that were being deployed at any of these changes: only they need the closer look."""
    oldest = min((change.at for change in changes), default=None)
    if oldest is None:
        return set()
    found = Deployment.objects.filter(_during(oldest)).values_list("incident__service", flat=True)
    return set(found)


def fate_of(change: HealthChange, *, now: datetime, deployed: bool = True) -> Fate:
    """Return what is to be done with a change now; `deployed` false says that no deployment is near it.

    A failure that is seen while we deploy is judged by the verification. It waits until that is over: dropped when the
    service is well again after it, and acted on when it goes on failing, or a second cause would be lost.
    """
    if change.after == Health.HEALTHY:
        return Fate.ACT
    if change.after not in FAILING or not change.service.enabled:
        return Fate.DROP
    if _in_maintenance(change) and _is_over(change):
        return Fate.DROP
    deployment = _deployment_around(change) if deployed else None
    if deployment is None:
        return Fate.ACT
    if _is_over(change):
        return Fate.DROP
    return Fate.WAIT if _still_counts(deployment, now) else Fate.ACT


def _in_maintenance(change: HealthChange) -> bool:
    """Say whether the change fell into the service's last maintenance window; it waited there until the window's end."""
    until = change.service.maintenance_until
    return until is not None and change.at < until


def _is_over(change: HealthChange) -> bool:
    later = HealthChange.objects.filter(service_id=change.service_id, pk__gt=change.pk)
    return later.filter(after=Health.HEALTHY).exists()


def _deployment_around(change: HealthChange) -> Deployment | None:
    deployments = Deployment.objects.filter(incident__service_id=change.service_id)
    return deployments.filter(_during(change.at), started_at__lte=change.at).last()


def _during(moment: datetime) -> Q:
    return Q(state__in=Deployment.RUNNING) | Q(healthy_at__gte=moment) | Q(undone_at__gte=moment)


def _still_counts(deployment: Deployment, now: datetime) -> bool:
    """Say whether a deployment runs, or ended so lately that the probes have not yet said what it led to."""
    ended = deployment.undone_at or deployment.healthy_at
    grace = timedelta(seconds=settings.DEPLOY_GRACE_SECONDS)
    return deployment.state in Deployment.RUNNING or ended is None or now < ended + grace
