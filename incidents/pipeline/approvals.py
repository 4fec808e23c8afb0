"""Step 8, people's part: approve, override, reject, request changes. Pages, API and admin all enter here.

A permission given here is checked once more, with its digests, in the transaction that prepares the deployment
(deploy.py): between a click and a write anything may have changed.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from incidents import queue
from incidents.models import Decision, Fix, Incident
from incidents.pipeline.debts import frozen
from incidents.pipeline.gates import Conflict, chosen_fix, forbids_change, locked
from incidents.pipeline.guards import is_healthy_again
from incidents.pipeline.question import (
    asked_about,
    check_person,
    check_proof,
    fix_under_decision,
    open_question,
    out_of_date,
)
from incidents.states import ENDED, WAITING, BadInput, Status, Step
from incidents.timeline import note
from teams import access, audit
from teams.models import User
from teams.roles import Verb


def authorise(
    *, incident_id: int, fix_digest: str, person: User, reason: str = "", override: bool = False
) -> Decision:
    """Let the chosen fix go live in a person's name, with `override` also without a passing trial.

    Raises `AccessRefused` when the role may not, and `Conflict` for a wrong state, another fix, expiry, a changed
    policy, a missing proof, or when somebody was first. All checks and the move are one transaction.
    """
    verb = Verb.OVERRIDE if override else Verb.APPROVE
    with transaction.atomic():
        incident = _entered(incident_id, person, verb)
        if override and not reason.strip():
            raise BadInput("An override needs a reason; it goes on record.")
        fix = fix_under_decision(incident, fix_digest)
        check_person(incident, fix, person)
        if forbidden := forbids_change(incident):
            raise Conflict(f"No change is allowed now: {forbidden}.")
        if is_healthy_again(incident):
            raise Conflict("The service is healthy again; nothing has to be deployed.")
        if not override and (ice := frozen(incident, fix)):
            raise Conflict(f"No change is allowed now: {ice}.")
        asked = open_question(incident, fix)
        if not override:
            check_proof(fix)
        kind = Decision.Kind.OVERRIDE if override else Decision.Kind.APPROVE
        decision = _sign(asked, person, kind, reason)
        incident.move(
            status=Status.DEPLOYING,
            step=Step.DEPLOY,
            waits_for="",
            **acknowledged(incident, person),
        )
        words = "overrode the rules for" if override else "approved"
        note(incident, kind, _said(f"{person} {words} the fix.", reason), actor=str(person))
        queue.enqueue(queue.RUN, incident.pk)
        _audit(person, decision)
    return decision


def reject(*, incident_id: int, person: User, reason: str, fix_digest: str = "") -> Decision:
    """Refuse the fix and end the agent's part; the reason goes on record and into learning."""
    with transaction.atomic():
        incident = _entered(incident_id, person, Verb.REJECT)
        fix = fix_under_decision(incident, fix_digest) if fix_digest else chosen_fix(incident)
        decision = _say_no(incident, fix, person, Decision.Kind.REJECT, reason)
        incident.move(
            status=Status.REJECTED, step=Step.LEARN, waits_for="", **acknowledged(incident, person)
        )
        note(incident, "reject", _said(f"{person} rejected the fix.", reason), actor=str(person))
        queue.enqueue(queue.RUN, incident.pk)
        _audit(person, decision)
    return decision


def request_changes(*, incident_id: int, person: User, reason: str) -> Decision:
    """Send the work back: the next proposal hears the wish and leaves this fix out.

    Unless the question about it was out of date: then a person who asks anew has said nothing against the fix.
    """
    with transaction.atomic():
        incident = _entered(incident_id, person, Verb.REQUEST_CHANGES)
        fix = chosen_fix(incident)
        if fix and (asked := asked_about(incident, fix)) and out_of_date(incident, asked):
            fix = None
        decision = _say_no(incident, fix, person, Decision.Kind.REQUEST_CHANGES, reason)
        incident.move(
            status=Status.INVESTIGATING,
            step=Step.COLLECT,
            attempt=incident.attempt + 1,
            waits_for="",
            **acknowledged(incident, person),
        )
        note(
            incident,
            "request_changes",
            _said(f"{person} asked for changes.", reason),
            actor=str(person),
        )
        queue.enqueue(queue.RUN, incident.pk)
        _audit(person, decision)
    return decision


def acknowledged(incident: Incident, person: User) -> dict[str, Any]:
    """Return the fields that say who looked first, when nobody did before."""
    if incident.acknowledged_at:
        return {}
    return {"acknowledged_at": timezone.now(), "acknowledged_by": person}


def _entered(incident_id: int, person: User, verb: Verb) -> Incident:
    """Return the locked incident once the role may act on it and it waits for a person."""
    incident = locked(incident_id)
    access.require(person, verb, severity=incident.severity, service=incident.service.slug)
    if incident.status in WAITING:
        return incident
    if incident.status in ENDED:
        raise Conflict(f"The incident has ended ({incident.status}); nothing is left to decide.")
    raise Conflict(f"The incident is {incident.status} now; nothing is up for decision.")


def _sign(asked: Decision, person: User, kind: str, reason: str) -> Decision:
    """Write a person's decision on the same digests as the question that was asked."""
    skipped = {"id", "created_at"}
    fields = [f.attname for f in Decision._meta.concrete_fields if f.name not in skipped]
    values = {name: getattr(asked, name) for name in fields}
    changed = {"kind": kind, "actor_id": person.pk, "reason": reason}
    return Decision.objects.create(**{**values, **changed})


def _say_no(incident: Incident, fix: Fix | None, person: User, kind: str, reason: str) -> Decision:
    if not reason.strip():
        raise BadInput("Say why: the reason helps the next proposal.")
    if fix is not None:
        Fix.objects.filter(pk=fix.pk).update(state=Fix.State.REFUSED, why=f"{person}: {reason}")
    return Decision.objects.create(
        incident=incident,
        attempt=incident.attempt,
        fix=fix,
        kind=kind,
        actor=person,
        severity=incident.severity,
        reason=reason,
        fix_digest=fix.digest if fix else "",
    )


def _said(text: str, reason: str) -> str:
    return f"{text} “{reason.strip()}”" if reason.strip() else text


def _audit(person: User, decision: Decision) -> None:
    audit.record(
        actor=person,
        verb=decision.kind,
        target=f"incident:{decision.incident_id}",
        after={"fix": decision.fix_digest, "reason": decision.reason},
    )
