"""Keeps account of restarts that "fix" the same cause again: the second return asks people, the third is frozen."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from incidents.models import Debt, Fix, Incident
from incidents.pipeline.gates import Conflict
from incidents.states import BadInput
from incidents.timeline import note
from teams import access, audit
from teams.models import User
from teams.roles import Verb

KEPT = 50


def is_only_a_restart(fix: Fix) -> bool:
    """Say whether a fix changes no file and no environment."""
    return not fix.writes and fix.environment is None


def record_restart(incident: Incident, fix: Fix, *, now: datetime) -> None:
    """Count a restart after which the service was healthy; one that is long ago is forgotten (DEBT_WINDOW_SECONDS)."""
    if not is_only_a_restart(fix):
        return
    debt, _ = Debt.objects.select_for_update().get_or_create(
        service=incident.service,
        fingerprint=incident.fingerprint,
        settled_at=None,
        defaults={"title": incident.title, "opened_at": now},
    )
    fresh = now - debt.last_at <= timedelta(seconds=settings.DEBT_WINDOW_SECONDS)
    debt.restarts = debt.restarts + 1 if fresh else 1
    debt.history = [*debt.history, now.isoformat()][-KEPT:]
    debt.last_at, debt.title = now, incident.title
    debt.save()
    if debt.restarts > 1:
        text = f"A restart has “fixed” this {debt.restarts} times by now; the cause is still there."
        note(incident, "debt", text, data={"debt": debt.pk, "restarts": debt.restarts})


def debt_of(incident: Incident, fix: Fix | None) -> Debt | None:
    """Return what is owed for the cause of an incident when the fix is only another restart, else None."""
    if fix is None or not is_only_a_restart(fix):
        return None
    since = timezone.now() - timedelta(seconds=settings.DEBT_WINDOW_SECONDS)
    return (
        Debt.objects.select_related("service")
        .filter(
            service_id=incident.service_id,
            fingerprint=incident.fingerprint,
            settled_at=None,
            last_at__gte=since,
        )
        .first()
    )


def owed(incident: Incident, fix: Fix | None) -> str:
    """Return why this restart needs a person, or an empty text."""
    debt = debt_of(incident, fix)
    if debt is None or not debt.lowers:
        return ""
    return f"a restart has “fixed” this {debt.restarts} times and it came back"


def frozen(incident: Incident, fix: Fix | None) -> str:
    """Return why this restart is frozen for everybody but an overriding lead, or an empty text."""
    debt = debt_of(incident, fix)
    if debt is None or not debt.freezes:
        return ""
    return f"restarts of this cause are frozen: {debt.restarts} of them repaired nothing (debt {debt.pk})"


def settle(*, debt_id: int, person: User, reason: str) -> Debt:
    """Close a debt in a person's name: the cause is repaired, or restarts are accepted. Raises `Conflict`."""
    if not reason.strip():
        raise BadInput("Say how the debt was settled.")
    with transaction.atomic():
        debt = (
            Debt.objects.select_for_update(of=("self",)).select_related("service").get(pk=debt_id)
        )
        access.require(person, Verb.RESOLVE, severity="blocker", service=debt.service.slug)
        if debt.settled_at:
            raise Conflict("The debt is settled already.")
        debt.settled_at, debt.settled_by, debt.settled_reason = timezone.now(), person, reason
        debt.save()
        audit.record(
            actor=person, verb="debt.settled", target=f"debt:{debt.pk}", after={"reason": reason}
        )
    return debt
