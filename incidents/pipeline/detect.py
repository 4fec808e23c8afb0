"""Step 2: turn changes of health into incidents - open, join, reopen, or note the recovery."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from incidents import policy, queue
from incidents.engine.fingerprints import fingerprint
from incidents.models import Deployment, Incident
from incidents.states import BEFORE_DEPLOY, OPEN, Status, Step
from incidents.timeline import note
from incidents.values import Category, Failure
from monitoring.models import FaultInjection, HealthChange, Service
from monitoring.values import Health

RUNNING = ["prepared", "written", "restarted"]


def consume_changes(*, now: datetime, limit: int = 500) -> list[int]:
    """Handle every change that nobody has handled, oldest first; return the incidents to run.

    A change is claimed by a guarded UPDATE inside the transaction that acts on it: two workers never both act, and a
    killed one leaves it unclaimed. Changes of a service in maintenance wait until the window ends.
    """
    waiting = HealthChange.objects.filter(consumed_at=None).exclude(
        service__maintenance_until__gt=now
    )
    found = []
    for change_id in list(waiting.order_by("id").values_list("id", flat=True)[:limit]):
        with transaction.atomic():
            incident = _consume(change_id, now)
            if incident is not None:
                queue.enqueue(queue.RUN, incident.pk)
                found.append(incident.pk)
    return found


def _consume(change_id: int, now: datetime) -> Incident | None:
    claimed = HealthChange.objects.filter(pk=change_id, consumed_at=None).update(consumed_at=now)
    if not claimed:
        return None
    change = HealthChange.objects.select_related("service").get(pk=change_id)
    if change.after == Health.HEALTHY:
        _recover(change)
        return None
    if change.after == Health.UNKNOWN or _is_our_own_restart(change):
        return None
    return _open_or_join(change)


def _is_our_own_restart(change: HealthChange) -> bool:
    """Say whether a deployment was under way when the failure was seen: verify judges that, not detect."""
    during = Q(state__in=RUNNING) | Q(healthy_at__gte=change.at) | Q(undone_at__gte=change.at)
    return Deployment.objects.filter(
        during, incident__service_id=change.service_id, started_at__lte=change.at
    ).exists()


def failure_of(change: HealthChange) -> Failure:
    """Return the failing observation of a change as a plain value."""
    names = Failure.__dataclass_fields__
    known = {key: value for key, value in change.verdict.items() if key in names}
    return Failure(**{**known, "symptom": change.symptom})


def _open_or_join(change: HealthChange) -> Incident | None:
    failure = failure_of(change)
    print_of = fingerprint(change.service.slug, failure)
    same = Incident.objects.select_for_update().filter(service=change.service, fingerprint=print_of)
    running = same.filter(status__in=OPEN).first()
    if running is not None:
        running.touch(joined=running.joined + 1)
        note(running, "joined", f"Seen again: {headline(change.service, failure)}")
        return None
    since = change.at - timedelta(seconds=settings.REOPEN_WITHIN_SECONDS)
    recent = same.filter(
        status__in=[Status.RESOLVED, Status.RECOVERED], ended_at__gte=since
    ).first()
    return _reopen(recent, change) if recent else _open(change, failure, print_of)


def _open(change: HealthChange, failure: Failure, print_of: str) -> Incident:
    injection = (
        FaultInjection.objects.filter(service=change.service, restored_at=None)
        .order_by("-id")
        .first()
    )
    incident = Incident.objects.create(
        service=change.service,
        fingerprint=print_of,
        title=headline(change.service, failure)[:200],
        severity=policy.severity_of(failure.symptom, Category.UNKNOWN),
        failure={**change.verdict, "symptom": change.symptom},
        opened_by=change,
        failed_since=change.at,
        caused_by=injection,
    )
    note(
        incident, "detected", f"Detected by {change.source}: {incident.title}", data=change.verdict
    )
    return incident


def _reopen(incident: Incident, change: HealthChange) -> Incident:
    """Take the same cause up again; a deployment whose watch window is still open is a relapse and is undone."""
    watched = _is_watched(incident)
    changes = {"reopened": incident.reopened + 1, "failed_since": change.at, "auto_resolved": False}
    if watched:
        incident.move(status=Status.ROLLED_BACK, step=Step.VERIFY, lease=None, **changes)
        note(incident, "relapse", "It failed again in the watch window: the fix is undone.")
    else:
        incident.move(
            status=Status.INVESTIGATING,
            step=Step.COLLECT,
            attempt=incident.attempt + 1,
            **changes,
        )
        note(incident, "reopened", "The same cause is back within 15 minutes: reopened.")
    return incident


def _is_watched(incident: Incident) -> bool:
    """Say whether a deployment's watch window is open; a fault injected since then is news and no relapse."""
    watched = incident.deployments.filter(
        state="healthy", settled_at=None, watch_until__gt=timezone.now()
    ).last()
    if watched is None:
        return False
    return not FaultInjection.objects.filter(
        service_id=incident.service_id, at__gte=watched.healthy_at
    ).exists()


def _recover(change: HealthChange) -> None:
    """End the incidents of a service that is healthy again before anything of ours was deployed."""
    waiting = Incident.objects.select_for_update().filter(
        service=change.service, status__in=BEFORE_DEPLOY, detected_at__lte=change.at
    )
    for incident in waiting:
        incident.move(
            status=Status.RECOVERED, step=Step.LEARN, waits_for="", lease=None, lease_until=None
        )
        note(incident, "recovered", "The service is healthy again without us.")
        queue.enqueue(queue.RUN, incident.pk)


def headline(service: Service, failure: Failure) -> str:
    """Return a title in one line, e.g. `Shop API: NameError on GET /health`."""
    what = failure.error_type or failure.symptom.replace("_", " ")
    where = f" on {failure.method} {failure.path}" if failure.path else ""
    return f"{service.name}: {what}{where}"
