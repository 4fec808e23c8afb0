"""Step 11: the account of what happened, and telling those who need to know."""

from __future__ import annotations

import contextlib

from django.db import transaction
from django.utils import timezone

from incidents.alerts import notify
from incidents.alerts.outbox import News
from incidents.models import ClearanceReport, FollowUp, Incident, Kind
from incidents.pipeline.tools import Tools
from incidents.queries.account import account_of
from incidents.queries.report_markdown import as_markdown
from incidents.states import Status, Step
from incidents.timeline import note
from monitoring.faults import injection
from monitoring.ports import TargetError
from teams import access
from teams.roles import Role, Verb


def report(incident: Incident, tools: Tools) -> None:
    """Write the ClearanceReport of this attempt, tell the team lead, and go on to learning."""
    started = timezone.now()
    with contextlib.suppress(
        TargetError
    ):  # a fault that stays listed is no reason to hold the report back
        injection.settle(service=incident.service, now=started)
    with transaction.atomic():
        made = _written(incident)
        incident.move(status=Status(incident.status), step=Step.LEARN)
        _tell(incident, made)
        note(incident, "reported", "Clearance report written.", started=started)


def _written(incident: Incident) -> ClearanceReport:
    """Store the report once an attempt; what people added to an earlier version of it stays."""
    body = account_of(incident)
    words = ("title", "service", "root_cause", "place", "category", "plain", "severity", "outcome")
    made, _ = ClearanceReport.objects.update_or_create(
        incident=incident,
        attempt=incident.attempt,
        defaults={
            "title": f"Clearance report: {body['title']}"[:200],
            "body": body,
            "markdown": as_markdown(body),
            "search": " ".join(str(body[name]) for name in words).lower(),
        },
    )
    for key, text in body["suggested"]:
        FollowUp.objects.get_or_create(report=made, key=key, defaults={"text": text[:300]})
    return made


def _tell(incident: Incident, made: ClearanceReport) -> None:
    readers = access.people_who_may(
        Verb.VIEW_REPORTS, severity=incident.severity, service=incident.service.slug
    )
    news = News(
        incident=incident,
        kind=Kind.REPORT,
        text=f"{incident.status.capitalize()}: {incident.title}",
        link=made.path,
        key=f"report:{made.pk}",
    )
    notify.tell_news([one for one in readers if one.role == Role.TEAM_LEAD], news)
