"""Clearance reports: the list with search, and one report as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from incidents.models import ClearanceReport, Deployment, FollowUp
from incidents.queries import diffs
from incidents.queries.report_markdown import as_markdown
from incidents.queries.words import duration
from monitoring.models import Service
from teams.models import User

PAGE = 50
OPEN = Q(follow_ups__done_at=None, follow_ups__isnull=False)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the list is narrowed to."""

    q: str = ""
    service: str = ""
    open_only: bool = False
    before: int | None = None

    @classmethod
    def of(cls, query: dict[str, str]) -> Wanted:
        """Read the filters of an address; nonsense counts as not given."""
        before = query.get("before", "")
        return cls(
            q=query.get("q", "").replace("\x00", "").strip()[:200],
            service=query.get("service", "").replace("\x00", "")[:40],
            open_only=query.get("open") == "1",
            before=int(before) if before.isdecimal() and len(before) < 18 else None,
        )

    def address(self, **changes: Any) -> str:
        """Return the query string with some of it changed."""
        values = {"q": self.q, "service": self.service, "open": "1" if self.open_only else ""}
        return "?" + urlencode({name: v for name, v in {**values, **changes}.items() if v})


def page(wanted: Wanted) -> dict[str, Any]:
    """Return one page of the list, newest first: two queries."""
    found = list(_found(wanted)[: PAGE + 1])
    shown = found[:PAGE]
    more = len(found) > PAGE
    return {
        "items": [_item(row) for row in shown],
        "wanted": wanted,
        "services": list(Service.objects.values_list("slug", "name")),
        "older_url": wanted.address(before=shown[-1].pk) if more else "",
        "newer_url": wanted.address() if wanted.before else "",
    }


def _found(wanted: Wanted) -> QuerySet[ClearanceReport]:
    rows = ClearanceReport.objects.select_related("incident__service").order_by("-id")
    rows = rows.defer("body", "markdown", "search", "postmortem")
    rows = rows.annotate(
        open_follow_ups=Count("follow_ups", filter=OPEN), written=Count("postmortem_at")
    )
    for word in wanted.q.lower().split()[:8]:
        rows = rows.filter(search__contains=word)
    if wanted.service:
        rows = rows.filter(incident__service__slug=wanted.service)
    if wanted.open_only:
        rows = rows.filter(open_follow_ups__gt=0)
    return rows.filter(pk__lt=wanted.before) if wanted.before else rows


def _item(row: ClearanceReport) -> dict[str, Any]:
    incident = row.incident
    return {
        "id": row.pk,
        "title": incident.title,
        "service": incident.service.name,
        "severity": incident.severity,
        "at": row.created_at,
        "alone": incident.auto_resolved,
        "open": row.open_follow_ups,  # type: ignore[attr-defined]
        "postmortem": row.postmortem_at is not None,
    }


def one(report: ClearanceReport) -> dict[str, Any]:
    """Return what the page and the print view of one report show."""
    body = report.body
    fix = body.get("fix")
    return {
        "report": report,
        "body": body,
        "held": held(report),
        "spans": spans(body.get("times", [])),
        "times": [
            {**row, "at": datetime.fromisoformat(row["at"])} for row in body.get("times", [])
        ],
        "files": [
            {
                "title": file.path,
                "id": f"diff-{number}",
                "rows": rows,
                "added": file.added,
                "removed": file.removed,
            }
            for number, (file, rows) in enumerate(diffs.unified(fix["diff"] if fix else ""))
        ],
        "follow_ups": list(report.follow_ups.select_related("assignee", "done_by")),
    }


def held(report: ClearanceReport) -> tuple[str, str]:
    """Return what became of the fix since, as words and a tone; the report itself was written before."""
    row = Deployment.objects.filter(
        incident=report.incident_id, decision__attempt=report.attempt
    ).last()
    if row is None:
        return "", ""
    if row.undone_at:
        return "The fix was undone later.", "danger"
    if row.settled_at:
        return "The fix held through its watch window.", "ok"
    if row.watch_until and row.watch_until > timezone.now():
        return "The fix is still watched for a relapse.", "info"
    return "", ""


def spans(times: list[dict[str, str]]) -> list[tuple[str, str]]:
    """Return how long the main parts took, counted from the beginning of the failure."""
    at = {row["what"]: datetime.fromisoformat(row["at"]) for row in times}
    start = at.get("Failing since") or at.get("Detected")
    named = [("Detected", "Until detected"), ("Acknowledged", "Until acknowledged")]
    named += [("Verified", "Until healthy"), ("Closed", "Until closed")]
    return [
        (words, duration((at[what] - start).total_seconds()))
        for what, words in named
        if start and what in at
    ]


def markdown(report: ClearanceReport) -> str:
    """Return the report as it is now, with post-mortem and follow-ups."""
    rows = report.follow_ups.select_related("assignee")
    lines = [
        f"- [{'x' if row.done_at else ' '}] {row.text}"
        + (f" ({row.assignee})" if row.assignee else "")
        for row in rows
    ]
    return as_markdown(report.body, postmortem=report.postmortem, follow_ups=lines)


def may_read(report: ClearanceReport, person: User) -> bool:
    """Say whether a person has something to do in the report, and so may read it whatever the role."""
    return FollowUp.objects.filter(report=report, assignee=person).exists()
