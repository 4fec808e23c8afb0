"""The account of an incident as its clearance report keeps it: read from rows, without secrets, in plain values."""

from __future__ import annotations

from datetime import datetime
from operator import itemgetter
from typing import Any

from django.db.models import Q, Sum

from incidents.engine.redaction import Redactor
from incidents.models import Decision, Fix, Incident, TimelineEntry
from incidents.queries import hindsight
from incidents.queries.account_rows import Rows, rows_of
from incidents.queries.words import between, duration
from monitoring.models import ProbeMinute, RecordedExchange

KEPT_AS_THEY_ARE = frozenset({"digest", "at", "id", "key"})
AGENT_ALONE = "AgentOps, within its policy"


def account_of(incident: Incident) -> dict[str, Any]:
    """Return the facts of the present attempt, redacted; times are ISO 8601 in UTC."""
    rows = rows_of(incident)
    known = {name: str(value) for name, value in incident.service.environment.items()}
    body = {
        "incident": incident.pk,
        "attempt": incident.attempt,
        "title": incident.title,
        "service": incident.service.name,
        "severity": incident.severity,
        "category": incident.category.replace("_", " "),
        "outcome": _outcome(rows),
        **_cause(rows),
        "impact": _impact(rows),
        "times": _times(rows),
        "evidence": _evidence(rows),
        "fix": _fix(rows.fix),
        "receipt": _receipt(rows.fix),
        "reviews": _reviews(rows.fix),
        "decision": _decision(rows),
        "learned": hindsight.learned(rows),
        "open_questions": hindsight.open_questions(rows),
        "suggested": hindsight.suggested(rows),
    }
    redacted: dict[str, Any] = _redacted(body, Redactor(known=known))
    return redacted


def _outcome(rows: Rows) -> str:
    incident, decision = rows.incident, rows.decision
    if decision is None:
        closed = incident.timeline.filter(kind="closed").last()
        return closed.text if closed else "It ended without a change of ours."
    if incident.auto_resolved:
        return "AgentOps found, proved and deployed the fix without a person."
    words = (
        "without a passing trial, by override," if decision.kind == "override" else "on approval"
    )
    return (
        f"AgentOps deployed the fix {words} of {decision.actor}." if decision.actor else AGENT_ALONE
    )


def _cause(rows: Rows) -> dict[str, Any]:
    row = rows.diagnosis
    if row is None:
        return {
            "root_cause": "No cause was found.",
            "place": "",
            "plain": "",
            "analogy": "",
            "by": "",
        }
    return {
        "root_cause": row.root_cause,
        "place": f"{row.file}:{row.line}" if row.file and row.line else row.file,
        "plain": row.plain,
        "analogy": row.analogy,
        "by": row.author,
    }


def _impact(rows: Rows) -> list[list[str]]:
    """Return measured facts only, each as [name, value]."""
    since, until = rows.incident.failed_since or rows.incident.detected_at, rows.over_at
    facts = [["Out of order", between(since, until) or "not known"]]
    if until is None:
        return facts
    seen = Q(service=rows.incident.service)
    minutes = ProbeMinute.objects.filter(seen, minute__gte=since.replace(second=0, microsecond=0))
    sums = minutes.filter(minute__lte=until).aggregate(all=Sum("count"), bad=Sum("failures"))
    if sums["all"]:
        facts.append(["Probes that failed", f"{sums['bad']} of {sums['all']} while it lasted"])
    failed = RecordedExchange.objects.filter(seen, good=False, at__range=(since, until))
    people = failed.exclude(user="").values("user").distinct().count()
    requests = failed.exclude(source__in=["probe", "smoke"]).count()
    if requests:
        facts.append(["Recorded requests that failed", str(requests)])
    if people:
        facts.append(["Users among them", str(people)])
    return facts


def _times(rows: Rows) -> list[dict[str, str]]:
    """Return what happened when and by whom, in order, without what never happened."""
    incident, deployment, decision = rows.incident, rows.deployment, rows.decision
    decided_by = str(decision.actor) if decision and decision.actor else AGENT_ALONE
    last = _last_entries(incident)
    moments = [
        ("Failing since", incident.failed_since, ""),
        ("Detected", incident.detected_at, "monitoring"),
        ("Acknowledged", incident.acknowledged_at, str(incident.acknowledged_by or "")),
        *[(word, *last[kind]) for kind, word in STEPS.items() if kind in last],
        ("Approved" if decision and decision.actor else "Decided", _at(decision), decided_by),
        ("Deployed", deployment.written_at if deployment else None, "AgentOps"),
        ("Verified", rows.verified_at, "AgentOps"),
        ("Closed", None if deployment else incident.ended_at, ""),
    ]
    known = [(at, what, by) for what, at, by in moments if at is not None]
    return [
        {"what": what, "at": at.isoformat(), "by": by}
        for at, what, by in sorted(known, key=itemgetter(0))
    ]


STEPS = {"diagnosed": "Diagnosed", "proposed": "Proposed", "tried": "Tried", "reviewed": "Reviewed"}


def _last_entries(incident: Incident) -> dict[str, tuple[datetime, str]]:
    found = TimelineEntry.objects.filter(incident=incident, kind__in=STEPS).order_by("id")
    return {kind: (at, actor) for kind, at, actor in found.values_list("kind", "at", "actor")}


def _at(decision: Decision | None) -> datetime | None:
    return decision.created_at if decision else None


def _evidence(rows: Rows) -> list[dict[str, Any]]:
    cited = set(rows.diagnosis.cited) if rows.diagnosis else set()
    items = rows.evidence.items if rows.evidence else []
    return [
        {"id": item["id"], "title": item["title"], "cited": item["id"] in cited} for item in items
    ]


def _fix(fix: Fix | None) -> dict[str, Any] | None:
    if fix is None:
        return None
    return {
        "explanation": fix.explanation,
        "risks": fix.risks,
        "diff": fix.diff,
        "digest": fix.digest,
        "lines": fix.lines_changed,
        "author": str(fix.proposer) if fix.proposer else fix.author,
    }


def _receipt(fix: Fix | None) -> dict[str, Any] | None:
    """Return the trial in short: what failed before and how it is answered now, and how many others stayed the same."""
    trial = getattr(fix, "trial", None)
    if trial is None:
        return None
    lines = trial.receipt.get("requests", [])
    good = [line for line in lines if line.get("kind") != "failing"]
    return {
        "passed": trial.passed,
        "reason": trial.reason,
        "reproduced": trial.reproduced,
        "isolation": trial.isolation,
        "digest": trial.digest,
        "took": duration(trial.duration_ms / 1000),
        "failing": [_request(line) for line in lines if line.get("kind") == "failing"][:10],
        "good": len(good),
        "good_same": sum(line.get("verdict") == "ok" for line in good),
    }


def _request(line: dict[str, Any]) -> dict[str, str]:
    return {
        "request": f"{line.get('method', '')} {line.get('path', '')}",
        "before": _answer(line.get("before")),
        "after": _answer(line.get("after")),
        "verdict": str(line.get("verdict", "")),
    }


def _answer(answer: dict[str, Any] | None) -> str:
    if not answer:
        return "-"
    return str(answer.get("status") or str(answer.get("failure", "")).replace("_", " ") or "-")


def _reviews(fix: Fix | None) -> list[dict[str, Any]]:
    words = {True: "passed", False: "objects", None: "gave no verdict"}
    return [
        {
            "reviewer": row.reviewer,
            "verdict": words[row.passed],
            "score": row.score,
            "findings": [f"{one.get('rule', '')}: {one.get('detail', '')}" for one in row.findings],
        }
        for row in (fix.reviews.all() if fix else [])
    ]


def _decision(rows: Rows) -> dict[str, Any] | None:
    decision = rows.decision
    if decision is None:
        return None
    return {
        "kind": Decision.Kind(decision.kind).label,
        "by": str(decision.actor) if decision.actor else AGENT_ALONE,
        "score": decision.score,
        "reason": decision.reason,
        "terms": decision.terms,
    }


def _redacted(value: Any, redactor: Redactor) -> Any:
    if isinstance(value, str):
        return redactor.redact(value)
    if isinstance(value, dict):
        return {
            key: item if key in KEPT_AS_THEY_ARE else _redacted(item, redactor)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_redacted(item, redactor) for item in value]
    return value
