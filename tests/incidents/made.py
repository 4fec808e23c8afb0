"""Rows of incidents as tests need them, without running the pipeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from incidents.models import Decision, Deployment, Diagnosis, Fix, Incident, SafetyReview, Trial
from incidents.states import Status, Step
from incidents.values import Category, Severity
from monitoring.models import Service
from teams.models import User

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)  # a Monday
_numbers = count(1)


def service(**fields: Any) -> Service:
    """Return a stored service."""
    number = next(_numbers)
    values = {"name": "Shop API", "slug": f"shop-{number}", "directory": "/nowhere", "port": 9}
    return Service.objects.create(**{**values, **fields})


def incident(of: Service | None = None, **fields: Any) -> Incident:
    """Return a stored incident that waits for an approval, of a fingerprint of its own."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "service": of or service(),
        "fingerprint": f"print-{number}",
        "title": f"Shop API: KeyError on GET /health ({number})",
        "status": Status.AWAITING_APPROVAL,
        "step": Step.WAIT,
        "severity": Severity.HIGH,
        "category": Category.CODE,
        "failure": {"symptom": "error"},
        "failed_since": NOON,
        "detected_at": NOON,
    }
    return Incident.objects.create(**{**values, **fields})


def fix(of: Incident, **fields: Any) -> Fix:
    """Return a chosen fix with a passed trial and a passed review."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "incident": of,
        "attempt": of.attempt,
        "actions": [{"kind": "revert", "path": "pricing.py", "hunks": []}],
        "diff": "diff --git a/pricing.py b/pricing.py\n--- a/pricing.py\n+++ b/pricing.py\n@@ -1 +1 @@\n-x = price\n+x = price()\n",
        "explanation": "Put line 7 of pricing.py back.",
        "digest": f"{number:064x}",
        "base_digest": "b" * 64,
        "state": Fix.State.CHOSEN,
    }
    row = Fix.objects.create(**{**values, **fields})
    Trial.objects.create(
        fix=row, passed=True, applied=True, reproduced=True, digest="c" * 64, isolation="namespaces"
    )
    SafetyReview.objects.create(fix=row, reviewer="built-in", passed=True, score=0.9)
    return row


def diagnosis(of: Incident, **fields: Any) -> Diagnosis:
    """Return a diagnosis with a place."""
    values: dict[str, Any] = {
        "incident": of,
        "attempt": of.attempt,
        "category": of.category,
        "root_cause": "price is called without parentheses",
        "file": "pricing.py",
        "line": 7,
        "plain": "A price was never worked out.",
        "impact": {"failing": 3, "asked": 12},
    }
    return Diagnosis.objects.create(**{**values, **fields})


def deployed(
    of: Incident, *, by: User | None = None, score: float = 0.9, **fields: Any
) -> Deployment:
    """Return a healthy deployment of a fix, decided by a person or (None) by the rules."""
    kind = Decision.Kind.APPROVE if by else Decision.Kind.AUTO
    row = fix(of)
    decision = Decision.objects.create(
        incident=of,
        attempt=of.attempt,
        fix=row,
        kind=kind,
        actor=by,
        severity=of.severity,
        score=score,
        fix_digest=row.digest,
        created_at=of.detected_at + timedelta(minutes=4),
    )
    values: dict[str, Any] = {
        "incident": of,
        "fix": row,
        "decision": decision,
        "automatic": by is None,
        "state": Deployment.State.HEALTHY,
        "started_at": of.detected_at + timedelta(minutes=4),
        "written_at": of.detected_at + timedelta(minutes=5),
        "healthy_at": of.detected_at + timedelta(minutes=6),
    }
    return Deployment.objects.create(**{**values, **fields})
