"""Step 2: turn changes of health into incidents - open, join or reopen; recovery.py ends."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from incidents import policy, queue
from incidents.alerts.opened import tell_opened
from incidents.engine.fingerprints import fingerprint
from incidents.models import Deployment, Incident
from incidents.pipeline import recovery, relapses
from incidents.pipeline.fates import Fate, deployed_services, fate_of
from incidents.states import OPEN, Status, Step
from incidents.timeline import note
from incidents.values import Category, Failure
from monitoring.models import FaultInjection, HealthChange, Service
from monitoring.values import Health, Symptom


def consume_changes(*, now: datetime, limit: int = 500) -> list[int]:
    """Handle every change that nobody has handled, oldest first; return the incidents to run.

    A change is claimed by a guarded UPDATE inside the transaction that acts on it: two workers never both act, and a
    killed one leaves it unclaimed. Changes of a service in maintenance wait until the window ends, and those behind a
    change that has to wait stay behind it.
    """
    waiting = HealthChange.objects.filter(consumed_at=None).exclude(
        service__maintenance_until__gt=now
    )
    found: list[int] = []
    held_up: set[int] = set()
    changes = list(waiting.select_related("service").order_by("id")[:limit])
    deployed, watched = deployed_services(changes), relapses.watched_services(changes)
    for change in changes:
        if change.service_id in held_up:
            continue
        fate = fate_of(change, now=now, deployed=change.service_id in deployed)
        if fate is Fate.WAIT:
            held_up.add(change.service_id)
        elif (incident := _consume(change, fate, now, watched)) is not None:
            found.append(incident.pk)
    recovery.end_steady(now=now)
    return found


def _consume(
    change: HealthChange, fate: Fate, now: datetime, watched: Collection[int] = ()
) -> Incident | None:
    failure, blamed = failure_of(change), None
    if fate is Fate.ACT and change.after != Health.HEALTHY and change.service_id in watched:
        blamed = relapses.cause_of(change, failure)
    with transaction.atomic():
        unclaimed = HealthChange.objects.filter(pk=change.pk, consumed_at=None)
        if not unclaimed.update(consumed_at=now) or fate is Fate.DROP:
            return None
        if change.after == Health.HEALTHY:
            recovery.recover(change)
            return None
        incident = _open_or_join(change, failure, blamed)
        if incident is not None:
            queue.enqueue(queue.RUN, incident.pk)
        return incident


def failure_of(change: HealthChange) -> Failure:
    """Return the failing observation of a change as a plain value."""
    names = Failure.__dataclass_fields__
    known = {key: value for key, value in change.verdict.items() if key in names}
    return Failure(**{**known, "symptom": change.symptom})


def _open_or_join(
    change: HealthChange, failure: Failure, blamed: Deployment | None
) -> Incident | None:
    print_of = fingerprint(change.service.slug, failure)
    since = change.at - timedelta(seconds=settings.REOPEN_WITHIN_SECONDS)
    ended = Q(status__in=[Status.RESOLVED, Status.RECOVERED], ended_at__gte=since)
    of_service = Incident.objects.select_for_update().filter(service=change.service)
    near = list(of_service.filter(Q(status__in=OPEN) | ended & Q(fingerprint=print_of)))
    running = _one_to_join([one for one in near if one.status in OPEN], print_of)
    if running is not None:
        _join(running, f"Seen again: {headline(change.service, failure)}")
        return None
    recent = next((one for one in near if one.status not in OPEN), None)
    if recent:
        return _reopen(recent, change)
    title = headline(change.service, failure)
    if blamed and (relapsed := relapses.put_down_to(blamed, change, title)):
        _join(relapsed, f"Seen as well: {title}")
        return relapsed
    return _open(change, failure, print_of)


def _one_to_join(running: Sequence[Incident], print_of: str) -> Incident | None:
    """Return the open incident, the newest first, that a failure belongs to: that of its fingerprint, if there is one.

    Of a service that has too many it is the newest: one that fails in ever new ways has one trouble.
    """
    too_many = len(running) >= settings.MAX_OPEN_PER_SERVICE
    same = (one for one in running if one.fingerprint == print_of)
    return next(same, running[0] if too_many else None)


def _join(incident: Incident, text: str) -> None:
    """Count a failure that belongs to an open incident; the timeline tells of the 1st, 10th, 100th, ... only."""
    joined = incident.joined + 1
    incident.touch(joined=joined)
    if joined == 10 ** (len(str(joined)) - 1):
        note(incident, "joined", text if joined == 1 else f"{text} ({joined} times so far)")


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
        failure=_seen(change),
        opened_by=change,
        failed_since=change.at,
        caused_by=injection,
    )
    text = f"Detected by {change.source}: {incident.title}"
    note(incident, "detected", text, data=change.verdict)
    tell_opened(incident)
    return incident


def _seen(change: HealthChange) -> dict[str, object]:
    return {**change.verdict, "symptom": change.symptom}


def _reopen(incident: Incident, change: HealthChange) -> Incident:
    """Take the same cause up again; a deployment whose watch window is still open is a relapse and is undone."""
    watched = relapses.is_watched(incident)
    changes = {"reopened": incident.reopened + 1, "failed_since": change.at, "auto_resolved": False}
    if watched:
        incident.move(status=Status.ROLLED_BACK, step=Step.VERIFY, lease=None, **changes)
        note(incident, "relapse", "It failed again in the watch window: the fix is undone.")
    else:
        incident.move(
            status=Status.INVESTIGATING,
            step=Step.COLLECT,
            attempt=incident.attempt + 1,
            failure=_seen(change),
            **changes,
        )
        minutes = settings.REOPEN_WITHIN_SECONDS / 60
        note(
            incident, "reopened", f"The same cause is back within {minutes:.0f} minutes: reopened."
        )
    return incident


def headline(service: Service, failure: Failure) -> str:
    """Return a title in one line, e.g. `Shop API: NameError on GET /health`."""
    if failure.symptom == Symptom.NO_PROCESS:  # nothing that was asked is to blame
        return f"{service.name}: {_gone(failure.error_type)}"
    what = failure.error_type or failure.symptom.replace("_", " ")
    where = f" on {failure.method} {failure.path}" if failure.path else ""
    return f"{service.name}: {what}{where}"


def _gone(error_type: str) -> str:
    if error_type in ("", "absent"):
        return "no process"
    return f"process ended ({error_type})"
