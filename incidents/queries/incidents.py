"""Incidents as plain dictionaries for the API and the pages, at a constant number of queries."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from incidents.models import (
    Decision,
    Deployment,
    Diagnosis,
    Fix,
    Incident,
    SafetyReview,
    TimelineEntry,
    Trial,
)
from incidents.states import Status


def filtered(
    *, status: str = "", service: str = "", before: int | None = None
) -> QuerySet[Incident]:
    """Return incidents, newest first, by status (one or several, joined by commas) and service slug."""
    found = Incident.objects.select_related("service").order_by("-id")
    if status:
        found = found.filter(status__in=_words(status))
    if service:
        found = found.filter(service__slug=service)
    return found.filter(id__lt=before) if before else found


def unknown_statuses(status: str) -> list[str]:
    """Return what is no status in the caller's list, so that a typing error does not read as "none"."""
    return [word for word in _words(status) if word not in Status.__members__]


def _words(status: str) -> list[str]:
    return [word.strip().upper() for word in status.split(",") if word.strip()]


def brief(incident: Incident) -> dict[str, Any]:
    """Return the row of a list."""
    return {
        "id": incident.pk,
        "title": incident.title,
        "service": incident.service.slug,
        "status": incident.status,
        "severity": incident.severity,
        "category": incident.category,
        "fingerprint": incident.fingerprint,
        "attempt": incident.attempt,
        "detected_at": incident.detected_at,
        "ended_at": incident.ended_at,
        "waits_for": incident.waits_for,
        "auto_resolved": incident.auto_resolved,
    }


def whole(incident: Incident) -> dict[str, Any]:
    """Return everything of one incident: the present attempt's rows and the whole timeline."""
    at = {"incident": incident, "attempt": incident.attempt}
    diagnosis = Diagnosis.objects.filter(**at).first()
    fixes = list(
        Fix.objects.filter(**at).select_related("trial", "proposer").prefetch_related("reviews")
    )
    decisions = list(incident.decisions.filter(attempt=incident.attempt).select_related("actor"))
    chosen = _chosen(fixes, decisions)
    deployment = incident.deployments.select_related("fix").last()
    return {
        **brief(incident),
        **_cause(diagnosis),
        **_score(decisions),
        "failed_since": incident.failed_since,
        "acknowledged_at": incident.acknowledged_at,
        "assignee": incident.assignee.email if incident.assignee else None,
        "taken_over_by": incident.taken_over_by.email if incident.taken_over_by else None,
        "fix": fix_json(chosen) if chosen else None,
        "trial": trial_json(chosen.trial) if chosen and hasattr(chosen, "trial") else None,
        "review": [review_json(row) for row in chosen.reviews.all()] if chosen else [],
        "decision": decision_json(decisions[-1]) if decisions else None,
        "deployment": deployment_json(deployment) if deployment else None,
        "candidates": [fix_json(fix) for fix in fixes if fix is not chosen],
        "timeline": [entry_json(entry) for entry in incident.timeline.all()],
    }


def _chosen(fixes: list[Fix], decisions: list[Decision]) -> Fix | None:
    """Return the fix that is or was up for decision."""
    ids = [fix.pk for fix in fixes if fix.state == Fix.State.CHOSEN]
    ids += [d.fix_id for d in reversed(decisions) if d.fix_id]
    return next((fix for wanted in ids for fix in fixes if fix.pk == wanted), None)


def _cause(diagnosis: Diagnosis | None) -> dict[str, Any]:
    if diagnosis is None:
        return {"root_cause": None, "file": None, "line": None, "plain": None, "diagnosed_by": None}
    return {
        "root_cause": diagnosis.root_cause,
        "file": diagnosis.file or None,
        "line": diagnosis.line,
        "plain": diagnosis.plain,
        "diagnosed_by": diagnosis.author,
    }


def _score(decisions: list[Decision]) -> dict[str, Any]:
    judged = [row for row in decisions if row.terms]
    last = judged[-1] if judged else None
    return {
        "confidence": last.score if last else None,
        "confidence_terms": last.terms if last else [],
    }


def fix_json(fix: Fix) -> dict[str, Any]:
    """Return a fix as the API shows it."""
    return {
        "digest": fix.digest,
        "base_digest": fix.base_digest,
        "diff": fix.diff,
        "actions": fix.actions,
        "author": fix.author,
        "proposer": fix.proposer.email if fix.proposer else None,
        "explanation": fix.explanation,
        "risks": fix.risks,
        "state": fix.state,
        "why": fix.why,
        "lines_changed": fix.lines_changed,
        "proved_minimal": fix.proved_minimal,
    }


def trial_json(trial: Trial) -> dict[str, Any]:
    """Return a trial's receipt as the API shows it."""
    return {
        "passed": trial.passed,
        "applied": trial.applied,
        "reproduced": trial.reproduced,
        "reason": trial.reason,
        "isolation": trial.isolation,
        "digest": trial.digest,
        "duration_ms": trial.duration_ms,
        "receipt": trial.receipt,
    }


def review_json(review: SafetyReview) -> dict[str, Any]:
    """Return a safety verdict as the API shows it."""
    names = ("reviewer", "passed", "score", "findings", "policies", "session", "note")
    return {name: getattr(review, name) for name in names}


def decision_json(decision: Decision) -> dict[str, Any]:
    """Return a decision as the API shows it."""
    return {
        "kind": decision.kind,
        "by": decision.actor.email if decision.actor else "AgentOps",
        "at": decision.created_at,
        "score": decision.score,
        "reasons": decision.reasons,
        "reason": decision.reason,
        "needed_role": decision.needed_role,
        "expires_at": decision.expires_at,
        "void_reason": decision.void_reason,
    }


def deployment_json(deployment: Deployment) -> dict[str, Any]:
    """Return a deployment as the API shows it."""
    return {
        "state": deployment.state,
        "automatic": deployment.automatic,
        "fix_digest": deployment.fix.digest,
        "started_at": deployment.started_at,
        "written_at": deployment.written_at,
        "healthy_at": deployment.healthy_at,
        "watch_until": deployment.watch_until,
        "undone_at": deployment.undone_at,
        "outcome": deployment.outcome,
        "checks": deployment.checks,
    }


def entry_json(entry: TimelineEntry) -> dict[str, Any]:
    """Return a timeline entry as the API shows it."""
    names = ("at", "kind", "actor", "text", "duration_ms")
    return {name: getattr(entry, name) for name in names}
