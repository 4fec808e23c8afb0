"""What people add to a clearance report: a post-mortem, and follow-ups that are given to somebody and ticked off."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from incidents.alerts import notify
from incidents.alerts.outbox import News
from incidents.models import ClearanceReport, FollowUp, Kind
from incidents.states import BadInput
from teams import access, audit
from teams.models import User
from teams.roles import Verb

LONGEST_POSTMORTEM = 50_000


def write_postmortem(*, report: ClearanceReport, person: User, text: str, now: datetime) -> None:
    """Put a text on top of the report; the one before stays on the audit trail."""
    _may_write(report, person)
    text = text.replace("\r\n", "\n").strip()
    if len(text) > LONGEST_POSTMORTEM:
        raise BadInput(f"A post-mortem has at most {LONGEST_POSTMORTEM:,} characters.")
    with transaction.atomic():
        locked = ClearanceReport.objects.select_for_update().get(pk=report.pk)
        before, locked.postmortem = locked.postmortem, text
        locked.postmortem_by, locked.postmortem_at = person, now
        locked.save(update_fields=["postmortem", "postmortem_by", "postmortem_at"])
        audit.record(
            actor=person,
            verb="report.postmortem",
            target=report,
            before={"text": before},
            after={"text": text},
        )


def add_follow_up(*, report: ClearanceReport, person: User, text: str) -> FollowUp:
    """Add something that is still to be done."""
    _may_write(report, person)
    text = " ".join(text.split())
    if not text or len(text) > 300:
        raise BadInput("A follow-up needs 1 to 300 characters.")
    with transaction.atomic():
        row = FollowUp.objects.create(report=report, text=text)
        audit.record(actor=person, verb="follow_up.added", target=row, after={"text": text})
    return row


def assign_follow_up(*, row: FollowUp, person: User, assignee: User | None) -> None:
    """Give a follow-up to somebody, who is told, or to nobody."""
    _may_write(row.report, person)
    if assignee is not None and not assignee.is_admitted:
        raise BadInput(f"{assignee} is not active any more.")
    with transaction.atomic():
        before = row.assignee
        FollowUp.objects.filter(pk=row.pk).update(assignee=assignee)
        audit.record(
            actor=person,
            verb="follow_up.assigned",
            target=row,
            before={"to": before and before.email},
            after={"to": assignee and assignee.email},
        )
        if assignee is not None and assignee != before and assignee != person:
            notify.tell_news([assignee], _news(row, person, assignee))


def _news(row: FollowUp, person: User, assignee: User) -> News:
    return News(
        incident=row.report.incident,
        kind=Kind.ASSIGNED,
        text=f"{person} gave you a follow-up: {row.text}",
        link=f"/reports/{row.report_id}/#follow-ups",
        key=f"follow-up:{row.pk}:{assignee.pk}",
    )


def tick(*, row: FollowUp, person: User, done: bool, now: datetime) -> bool:
    """Tick a follow-up off, or open it again; false when it was so already. Whoever it is given to may, too."""
    if row.assignee_id != person.pk:
        _may_write(row.report, person)
    fields = {"done_at": now, "done_by": person} if done else {"done_at": None, "done_by": None}
    with transaction.atomic():
        as_before = FollowUp.objects.filter(pk=row.pk, done_at__isnull=done)
        if not as_before.update(**fields):
            return False
        verb = "follow_up.done" if done else "follow_up.reopened"
        audit.record(actor=person, verb=verb, target=row)
    return True


def _may_write(report: ClearanceReport, person: User) -> None:
    incident = report.incident
    access.require(
        person,
        Verb.WRITE_POSTMORTEM,
        severity=incident.severity,
        service=incident.service.slug,
    )
