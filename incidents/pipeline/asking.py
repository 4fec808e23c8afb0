"""Keeps true whom a waiting incident asks: who may approve can change after the question was put.

A manager adds or promotes somebody, takes a right away, or changes the approval matrix. People and rights are rows of an
app that knows no incidents, and are written in more than one way; so this looks at them from here.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import F

from incidents.alerts import escalate
from incidents.models import Decision, Incident
from incidents.pipeline.gates import able_to_approve, approvers, asked_of, needed_role
from incidents.states import Status, Step
from incidents.timeline import note
from teams.models import User


def keep_asked(*, now: datetime) -> int:
    """Name anew whom every question goes to whose approvers changed, and tell who was not told; return how many."""
    able: dict[tuple[str, str], list[User]] = {}
    changed = 0
    waiting = Incident.objects.filter(
        status=Status.AWAITING_APPROVAL, step=Step.WAIT, taken_over_by=None
    )
    for incident in waiting.select_related("service", "caused_by"):
        which = (incident.severity, incident.service.slug)
        if which not in able:
            able[which] = able_to_approve(*which)
        changed += _ask(incident, approvers(incident, able[which]), now)
    return changed


def _ask(incident: Incident, people: list[User], now: datetime) -> bool:
    """Put the question to these people, unless it is theirs already or the incident has moved on meanwhile."""
    asked = asked_of(people)
    if asked == incident.waits_for:
        return False
    with transaction.atomic():
        same = Incident.objects.filter(
            pk=incident.pk, version=incident.version, status=incident.status
        )
        if not same.update(waits_for=asked, version=F("version") + 1):
            return False
        incident.decisions.filter(
            attempt=incident.attempt, kind=Decision.Kind.ASK, voided_at=None
        ).update(needed_role=needed_role(people))
        note(incident, "asked", asked)
        escalate.tell_newcomers(incident, now=now)
    return True
