"""What the past says of a failure: similar incidents and how they ended, and what was deployed lately."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from incidents.engine.exhibits import Exhibit
from incidents.models import Deployment, Incident

MOST_SIMILAR = 5
MOST_DEPLOYMENTS = 10
LATELY = timedelta(days=1)


def similar(incident: Incident) -> list[dict[str, Any]]:
    """Return the last incidents of the same cause, newest first: id, status, title, ended, cause, fix, outcome."""
    past = (
        Incident.objects.filter(service=incident.service, fingerprint=incident.fingerprint)
        .exclude(pk=incident.pk)
        .prefetch_related("diagnoses", "deployments__fix")
        .order_by("-id")[:MOST_SIMILAR]
    )
    return [_told(one) for one in past]


def _told(incident: Incident) -> dict[str, Any]:
    diagnoses, deployments = list(incident.diagnoses.all()), list(incident.deployments.all())
    last = max(deployments, key=lambda row: row.pk, default=None)
    return {
        "id": incident.pk,
        "status": incident.status,
        "title": incident.title,
        "ended": incident.ended_at.isoformat() if incident.ended_at else "",
        "cause": max(diagnoses, key=lambda d: d.pk).root_cause if diagnoses else "",
        "fix": last.fix.explanation if last else "",
        "outcome": last.outcome if last else "nothing was deployed",
    }


def exhibits_of(incident: Incident, past: Sequence[dict[str, Any]]) -> Iterator[Exhibit]:
    """Yield the pieces of evidence that only the database has."""
    rows = _deployments(incident)
    if rows:
        yield Exhibit(kind="deployments", title="Deployments of the last day", body="\n".join(rows))
    if past:
        body = "\n".join(_words(one) for one in past)
        yield Exhibit(kind="similar", title="The same cause before", body=body)


def _deployments(incident: Incident) -> list[str]:
    recent = Deployment.objects.filter(
        incident__service=incident.service, started_at__gte=timezone.now() - LATELY
    ).select_related("fix")
    return [
        f"{row.started_at.isoformat(timespec='seconds')} {row.state} for #{row.incident_id}: {row.fix.explanation}"
        for row in recent.order_by("-id")[:MOST_DEPLOYMENTS]
    ]


def _words(one: dict[str, Any]) -> str:
    fix = f" Fix: {one['fix']} ({one['outcome']})" if one["fix"] else f" {one['outcome']}"
    return f"#{one['id']} {one['status']} {one['ended']}: {one['cause'] or one['title']}{fix}"
