"""Escalation in time: a question that nobody acknowledges climbs; an acknowledgement without progress lapses.

Run by a beat job. Every step is claimed by a guarded UPDATE, so that two workers never tell the same group twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Max, Q, QuerySet

from incidents.alerts import duty, notify
from incidents.models import Escalation, Incident, Kind, Notification, TimelineEntry
from incidents.states import BEFORE_DEPLOY, WAITING
from incidents.timeline import AGENT, note

BATCH = 200
NEVER = timedelta(days=36_500)


def begin(incident: Incident, *, now: datetime) -> None:
    """Put a question to the first ones who may answer, at once; a running escalation of this attempt starts over."""
    row, _ = Escalation.objects.update_or_create(
        incident=incident,
        attempt=incident.attempt,
        defaults={"level": 0, "since": now, "next_at": now, "ended_at": None},
    )
    _climb(row, now)


def escalate_waiting(*, now: datetime) -> int:
    """Begin, climb, lapse and end escalations as the rows say; return how many climbed."""
    _end_answered(now)
    _begin(now)
    _keep_first_acknowledgements()
    _lapse(now)
    due = Escalation.objects.filter(
        ended_at=None, next_at__lte=now, incident__acknowledged_at=None
    ).select_related("incident__service")
    return sum(_climb(row, now) for row in due[:BATCH])


def tell_newcomers(incident: Incident, *, now: datetime) -> None:
    """Tell those who came to the first step of a question after it was put; who was told is not told again.

    Not while somebody has looked at it: should nothing follow, it starts over with everybody.
    """
    running = Escalation.objects.filter(
        incident=incident, attempt=incident.attempt, ended_at=None, level__gte=1
    ).first()
    if running is None or incident.acknowledged_at:
        return
    told = set(
        Notification.objects.filter(key=_key(running, 1)).values_list("person_id", flat=True)
    )
    first = [person for group in duty.ladder(incident, now.date())[:1] for person in group.people]
    new = [person for person in first if person.pk not in told]
    if new:
        _tell(running, duty.Group(words=", ".join(one.name for one in new), people=new), 1)


def _waiting() -> QuerySet[Incident]:
    """Return what waits for people: asked, escalated, or in the hands of a person."""
    in_hand = Q(taken_over_by__isnull=False, status__in=BEFORE_DEPLOY)
    return Incident.objects.filter(Q(status__in=WAITING) | in_hand)


def _end_answered(now: datetime) -> None:
    running = Escalation.objects.filter(ended_at=None)
    running.exclude(incident__in=_waiting(), attempt=F("incident__attempt")).update(ended_at=now)


def _begin(now: datetime) -> None:
    """Begin for every incident that came to wait on another way than a decision of the rules (an undo, an error)."""
    running = Escalation.objects.filter(ended_at=None).values("incident")
    for incident in _waiting().exclude(pk__in=running).select_related("service")[:BATCH]:
        begin(incident, now=now)


def _keep_first_acknowledgements() -> None:
    """Keep when somebody first looked: a lapse clears it on the incident, and MTTA is measured from it."""
    seen = Escalation.objects.filter(
        ended_at=None, first_acknowledged_at=None, incident__acknowledged_at__isnull=False
    ).select_related("incident")
    for row in seen[:BATCH]:
        row.first_acknowledged_at = row.incident.acknowledged_at
        row.save(update_fields=["first_acknowledged_at"])


def _lapse(now: datetime) -> None:
    """Take back acknowledgements that nothing followed, so that the question climbs on."""
    since = now - timedelta(seconds=settings.ACKNOWLEDGEMENT_LAPSES_SECONDS)
    held = Escalation.objects.filter(ended_at=None, incident__acknowledged_at__lte=since)
    for row in held.select_related("incident__acknowledged_by")[:BATCH]:
        if _last_human_act(row.incident) <= since:
            _lapse_one(row, now)


def _last_human_act(incident: Incident) -> datetime:
    acts = TimelineEntry.objects.filter(incident=incident).exclude(actor=AGENT)
    latest: datetime | None = acts.aggregate(at=Max("at"))["at"]
    acknowledged = incident.acknowledged_at
    return max(at for at in (latest, acknowledged, incident.detected_at) if at)


def _lapse_one(row: Escalation, now: datetime) -> None:
    incident = row.incident
    with transaction.atomic():
        held = Incident.objects.filter(pk=incident.pk, acknowledged_at=incident.acknowledged_at)
        if not held.update(acknowledged_at=None, acknowledged_by=None):
            return
        again = {"level": 0, "since": now, "next_at": now, "lapsed": row.lapsed + 1}
        Escalation.objects.filter(pk=row.pk).update(**again)
        minutes = settings.ACKNOWLEDGEMENT_LAPSES_SECONDS / 60
        who = incident.acknowledged_by or "Somebody"
        text = f"{who} acknowledged, but nothing followed for {minutes:.0f} minutes: open again."
        note(incident, "lapsed", text)


def _climb(row: Escalation, now: datetime) -> bool:
    """Tell the next group."""
    incident = row.incident
    groups = duty.ladder(incident, now.date())
    later = now + timedelta(seconds=settings.ACKNOWLEDGE_SECONDS)
    with transaction.atomic():
        if row.level >= len(groups):
            _nobody_left(row, later)
            return False
        if not row.climb(to=row.level + 1, next_at=later):
            return False
        _tell(row, groups[row.level - 1], row.level)
    return True


def _tell(row: Escalation, group: duty.Group, level: int) -> None:
    incident, first = row.incident, level == 1
    kind = Kind.ASKED if first else Kind.ESCALATION
    text = f"{'Waits for you' if first else 'Nobody has reacted yet'}: {incident.title}"
    notify.tell(group.people, incident=incident, kind=kind, text=text, key=_key(row, level))
    after = (
        "" if first else f" after {settings.ACKNOWLEDGE_SECONDS / 60:.0f} min without a reaction"
    )
    note(incident, "notified", f"Notified {group.words}{after}.")


def _key(row: Escalation, level: int) -> str:
    """Return what each person on a step of this climb is told only once."""
    return f"asked:{row.incident_id}:{row.attempt}:{level}:{row.since.timestamp():.0f}"


def _nobody_left(row: Escalation, later: datetime) -> None:
    """Say once that everybody was told; after that only a lapse or an answer changes anything."""
    if row.climb(to=row.level + 1, next_at=later + NEVER):
        note(
            row.incident, "notified", "Everybody who could answer was notified; nobody has reacted."
        )
