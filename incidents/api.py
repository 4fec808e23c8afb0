"""The incidents part of the API: reads from queries, one domain call each for what people do."""

from __future__ import annotations

from datetime import UTC
from typing import Any, cast

from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from incidents.models import AgentState, Debt, Incident, TimelineEntry
from incidents.pipeline import approvals, kill_switch, people
from incidents.pipeline import debts as ledger
from incidents.queries import analytics as figures
from incidents.queries import debts
from incidents.queries import incidents as reads
from incidents.queries.analytics_rows import Span, load
from incidents.states import BadInput, Status
from teams import tokens
from teams.models import User
from teams.roles import Verb

router = Router(tags=["incidents"])
PAGE = 50


class Approval(Schema):
    """An approval names the fix by its digest, so that nothing else can be meant."""

    fix_digest: str
    comment: str = ""


class Override(Schema):
    """An override also says why."""

    fix_digest: str
    reason: str


class Reason(Schema):
    """A decision that needs a reason."""

    reason: str


class Text(Schema):
    """A comment."""

    text: str


class Assignment(Schema):
    """Whom to give it to, by e-mail."""

    email: str


class Proposal(Schema):
    """A person's own fix as typed actions."""

    actions: list[dict[str, Any]]
    reason: str = ""


class PauseReason(Schema):
    """Why the agent is paused."""

    reason: str = Field("", max_length=200)


def _person(request: HttpRequest) -> User:
    return tokens.require(request, Verb.VIEW)


def _page(rows: list[Any], show: Any, limit: int) -> dict[str, Any]:
    more = rows[limit:]
    return {
        "items": [show(row) for row in rows[:limit]],
        "next": rows[limit - 1].pk if more else None,
    }


def _answer(incident_id: int) -> dict[str, Any]:
    rows = Incident.objects.select_related("service", "assignee", "taken_over_by")
    incident = rows.filter(pk=incident_id).first()
    if incident is None:
        raise Http404(f"There is no incident {incident_id}.")
    return reads.whole(incident)


def _exists(incident_id: int) -> int:
    if not Incident.objects.filter(pk=incident_id).exists():
        raise Http404(f"There is no incident {incident_id}.")
    return incident_id


@router.get("incidents")
def list_incidents(
    request: HttpRequest,
    status: str = "",
    service: str = "",
    before: int | None = None,
    limit: int = PAGE,
) -> dict[str, Any]:
    """Incidents, newest first; `next` goes into `before` of the next call."""
    _person(request)
    limit = max(1, min(limit, 200))
    unknown = reads.unknown_statuses(status)
    if unknown:
        known = ", ".join(Status)
        raise BadInput(f"There is no status {', '.join(unknown)}. Known: {known}.")
    rows = list(reads.filtered(status=status, service=service, before=before)[: limit + 1])
    return _page(rows, reads.brief, limit)


@router.get("incidents/{int:incident_id}")
def get_incident(request: HttpRequest, incident_id: int) -> dict[str, Any]:
    """Everything of one incident."""
    _person(request)
    return _answer(incident_id)


@router.post("incidents/{int:incident_id}/approve")
def approve(request: HttpRequest, incident_id: int, body: Approval) -> dict[str, Any]:
    """Let the fix go live; 409 when it is not the one that is up for decision."""
    approvals.authorise(
        incident_id=_exists(incident_id),
        fix_digest=body.fix_digest,
        person=_person(request),
        reason=body.comment,
    )
    return _answer(incident_id)


@router.post("incidents/{int:incident_id}/override")
def override(request: HttpRequest, incident_id: int, body: Override) -> dict[str, Any]:
    """Let the fix go live without a passing trial, as a team lead, with a reason, on record."""
    approvals.authorise(
        incident_id=_exists(incident_id),
        fix_digest=body.fix_digest,
        person=_person(request),
        reason=body.reason,
        override=True,
    )
    return _answer(incident_id)


@router.post("incidents/{int:incident_id}/reject")
def reject(request: HttpRequest, incident_id: int, body: Reason) -> dict[str, Any]:
    """Refuse the fix."""
    approvals.reject(incident_id=_exists(incident_id), person=_person(request), reason=body.reason)
    return _answer(incident_id)


@router.post("incidents/{int:incident_id}/request-changes")
def request_changes(request: HttpRequest, incident_id: int, body: Reason) -> dict[str, Any]:
    """Send the work back with a wish."""
    approvals.request_changes(
        incident_id=_exists(incident_id), person=_person(request), reason=body.reason
    )
    return _answer(incident_id)


@router.post("incidents/{int:incident_id}/propose")
def propose(request: HttpRequest, incident_id: int, body: Proposal) -> dict[str, Any]:
    """Put an own fix up, to be tried and reviewed like any other."""
    people.propose(
        incident_id=_exists(incident_id),
        person=_person(request),
        actions=cast(object, body.actions),
        reason=body.reason,
    )
    return _answer(incident_id)


@router.post("incidents/{int:incident_id}/assign")
def assign(request: HttpRequest, incident_id: int, body: Assignment) -> dict[str, Any]:
    """Give the incident to a person."""
    _exists(incident_id)
    person = _person(request)
    assignee = User.objects.filter(email__iexact=body.email).first()
    if assignee is None:
        raise BadInput(f"There is no person with the e-mail address {body.email!r}.")
    people.assign(incident_id=incident_id, person=person, assignee=assignee)
    return _answer(incident_id)


@router.post("incidents/{int:incident_id}/comments")
def comment(request: HttpRequest, incident_id: int, body: Text) -> dict[str, Any]:
    """Add to the discussion."""
    row = people.comment(incident_id=_exists(incident_id), person=_person(request), text=body.text)
    return {"id": row.pk, "author": row.author.email, "text": row.text, "at": row.at}


@router.get("activity")
def activity(request: HttpRequest, before: int | None = None, limit: int = PAGE) -> dict[str, Any]:
    """What happened lately in all incidents, newest first."""
    _person(request)
    limit = max(1, min(limit, 200))
    rows = TimelineEntry.objects.order_by("-id")
    rows = rows.filter(id__lt=before) if before else rows
    return _page(
        list(rows[: limit + 1]),
        lambda entry: {"incident": entry.incident_id, **reads.entry_json(entry)},
        limit,
    )


@router.get("analytics")
def analytics(
    request: HttpRequest,
    days: str = "",
    service: str = "",
    start: str = Query("", alias="from"),  # type: ignore[type-arg]
    end: str = Query("", alias="to"),  # type: ignore[type-arg]
) -> dict[str, Any]:
    """Figures of whole UTC days (`from`, `to`: ISO dates, or the last `days`); times in seconds, shares 0..1.

    `notes` say what was left out: days that have not come, or more than three years.
    """
    _person(request)
    given = {"days": days, "service": service, "from": start, "to": end}
    span = Span.of(given, today=timezone.now().date())
    if span.wrong:
        raise BadInput(" ".join(span.wrong))
    with timezone.override(UTC):
        return figures.whole(load(span)) | {"notes": span.cut}


@router.get("debts")
def list_debts(request: HttpRequest) -> dict[str, Any]:
    """Causes that restarts have hidden more than once, with the trend; the latest first."""
    _person(request)
    return {"items": [debts.debt_json(row) for row in debts.open_debts()], "next": None}


@router.post("debts/{int:debt_id}/settle")
def settle_debt(request: HttpRequest, debt_id: int, body: Reason) -> dict[str, Any]:
    """Say that the cause is repaired: restarts of it are allowed again."""
    if not Debt.objects.filter(pk=debt_id).exists():
        raise Http404(f"There is no debt {debt_id}.")
    row = ledger.settle(debt_id=debt_id, person=_person(request), reason=body.reason)
    return debts.debt_json(row)


@router.get("agent")
def agent(request: HttpRequest) -> dict[str, Any]:
    """Whether the agent may work: it may not while it is paused, or until `frozen_until`."""
    _person(request)
    return _agent(AgentState.now())


@router.post("agent/pause")
def pause(request: HttpRequest, body: PauseReason | None = None) -> dict[str, Any]:
    """Forbid every new change at once."""
    reason = body.reason if body else ""
    return _agent(kill_switch.pause_agent(person=_person(request), reason=reason))


@router.post("agent/resume")
def resume(request: HttpRequest) -> dict[str, Any]:
    """End the pause; a freeze goes on until its time."""
    return _agent(kill_switch.resume_agent(person=_person(request)))


def _agent(state: AgentState) -> dict[str, Any]:
    return {
        "paused": state.paused,
        "frozen_until": state.frozen_until if state.is_frozen else None,
        "reason": state.reason,
        "changed_at": state.changed_at,
    }
