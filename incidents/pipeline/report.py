"""Step 11: the account of what happened, and telling those who need to know."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from incidents.alerts import notify
from incidents.models import ClearanceReport, Decision, Diagnosis, Incident, Kind
from incidents.pipeline.tools import Tools
from incidents.states import Status, Step
from incidents.timeline import note
from teams import access
from teams.roles import Verb


def report(incident: Incident, tools: Tools) -> None:
    """Write the ClearanceReport of this attempt, tell the people who get reports, and go on to learning."""
    started = timezone.now()
    body = compose(incident)
    with transaction.atomic():
        made, _ = ClearanceReport.objects.update_or_create(
            incident=incident,
            attempt=incident.attempt,
            defaults={
                "title": f"Clearance report: {incident.title}"[:200],
                "body": body,
                "markdown": as_markdown(body),
            },
        )
        incident.move(status=Status.RESOLVED, step=Step.LEARN)
        readers = access.people_who_may(
            Verb.VIEW_REPORTS, severity=incident.severity, service=incident.service.slug
        )
        notify.tell(
            [person for person in readers if person.role == "team_lead"],
            incident=incident,
            kind=Kind.REPORT,
            text=f"Resolved: {incident.title}",
            key=f"report:{made.pk}",
        )
        note(incident, "reported", "Clearance report written.", started=started)


def compose(incident: Incident) -> dict[str, Any]:
    """Return the report's facts, all read from the incident's rows; texts are plain, times ISO 8601 in UTC."""
    diagnosis = Diagnosis.objects.get(incident=incident, attempt=incident.attempt)
    deployment = incident.deployments.select_related("fix__trial", "decision__actor").latest("id")
    fix, decision = deployment.fix, deployment.decision
    return {
        "title": incident.title,
        "service": incident.service.name,
        "severity": incident.severity,
        "category": diagnosis.category,
        "root_cause": diagnosis.root_cause,
        "file": diagnosis.file,
        "line": diagnosis.line,
        "plain": diagnosis.plain,
        "impact": diagnosis.impact,
        "times": _times(incident, deployment.written_at, deployment.healthy_at),
        "decided_by": str(decision.actor) if decision.actor else "AgentOps, within its policy",
        "decision": Decision.Kind(decision.kind).label,
        "score": decision.score,
        "reason": decision.reason,
        "fix": {"explanation": fix.explanation, "diff": fix.diff, "digest": fix.digest},
        "trial": {
            "passed": fix.trial.passed,
            "reproduced": fix.trial.reproduced,
            "isolation": fix.trial.isolation,
            "digest": fix.trial.digest,
        },
        "reviews": [
            {"reviewer": row.reviewer, "passed": row.passed, "score": row.score}
            for row in fix.reviews.all()
        ],
    }


def _times(
    incident: Incident, deployed: datetime | None, verified: datetime | None
) -> dict[str, str | None]:
    first = {entry.kind: entry.at for entry in incident.timeline.order_by("-id")}
    times = {
        "failed since": incident.failed_since,
        "detected": incident.detected_at,
        "acknowledged": incident.acknowledged_at,
        "proposed": first.get("proposed"),
        "decided": first.get("approve") or first.get("override") or first.get("decided"),
        "deployed": deployed,
        "verified": verified,
    }
    return {name: at.isoformat() if at else None for name, at in times.items()}


def as_markdown(body: dict[str, Any]) -> str:
    """Return the report as Markdown for a download; quoted material stands in fences that it cannot close."""
    place = f"{body['file']}:{body['line']}" if body["file"] else "not one place"
    times = "\n".join(f"- {name}: {at or 'not known'}" for name, at in body["times"].items())
    fence = "`" * 8
    return f"""# {body["title"]}

- Service: {body["service"]}
- Severity: {body["severity"]}, category: {body["category"]}
- Decided by: {body["decided_by"]} (confidence {body["score"]:.2f})

## What happened

{body["plain"] or body["root_cause"]}

## Root cause

{body["root_cause"]} ({place})

## When

{times}

## The fix

{body["fix"]["explanation"]}

{fence}diff
{body["fix"]["diff"]}
{fence}

## The proof

Trial passed: {body["trial"]["passed"]}; failure seen without the fix: {body["trial"]["reproduced"]};
isolation: {body["trial"]["isolation"]}; receipt {body["trial"]["digest"]}
"""
