"""Realistic rows for pages and sockets: a shop, and incidents at every point of their way, without running a pipeline."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from incidents.engine.patches import unified_diff
from incidents.models import (
    Comment,
    Decision,
    Deployment,
    Diagnosis,
    Evidence,
    Fix,
    Incident,
    SafetyReview,
    TimelineEntry,
    Trial,
)
from incidents.values import digest_of
from monitoring.models import Blob, ProbeMinute, Service, ServiceHealth
from teams.models import User

GOOD = b'''"""Requests of the shop."""

import json

TAX = 0.19


def total_of(items):
    """Return the sum of a cart in cents."""
    return sum(item["price"] * item["count"] for item in items)


def checkout(cart):
    """Charge a cart."""
    total = total_of(cart["items"])
    tax = round(total * TAX)
    return {"total": total, "tax": tax, "currency": "EUR"}


def health():
    """Say how the shop is."""
    return json.dumps({"status": "ok"})
'''
BAD = GOOD.replace(
    b'return json.dumps({"status": "ok"})', b'return json.dumps(check_subsystems("ok"))'
)
TRACE = """Traceback (most recent call last):
  File "/srv/shop/server.py", line 48, in do_GET
    body = handler.health()
  File "/srv/shop/handler.py", line 22, in health
    return json.dumps(check_subsystems("ok"))
NameError: name 'check_subsystems' is not defined
"""
LOG = "\n".join(
    [f"2026-11-22 03:0{n // 60}:{n % 60:02d} INFO GET /api/products 200 4 ms" for n in range(110)]
    + ["2026-11-22 03:02:11 ERROR GET /health 500 NameError: check_subsystems"]
)
TERMS = [
    {"name": "base", "value": 0.5, "note": "every fix starts here"},
    {"name": "category", "value": 0.1, "note": "the kind of failure is code"},
    {"name": "file", "value": 0.05, "note": "the file is known: handler.py"},
    {"name": "line", "value": 0.05, "note": "the line is known: 22"},
    {"name": "trial", "value": 0.15, "note": "the fix passed its trial"},
    {"name": "applied", "value": 0.05, "note": "the fix was applied in the trial"},
    {"name": "safety", "value": 0.1, "note": "every safety review passed"},
    {"name": "model", "value": 0.0, "note": "not so: Claude answered"},
    {"name": "safety score", "value": 0.1, "note": "0.10 x 1.00"},
    {"name": "severity", "value": -0.15, "note": "severity is blocker"},
    {"name": "learning", "value": 0.0, "note": "nothing similar was decided yet"},
]


def shop(**fields: Any) -> Service:
    """Return a watched shop with twenty minutes of probing behind it."""
    values: dict[str, Any] = {
        "name": "Shop API",
        "slug": "shop",
        "directory": "/srv/shop",
        "port": 3100,
    }
    values |= {"command": ["python3", "server.py", "{port}"], "editable_globs": ["*.py"]}
    values |= {"repository_url": "https://github.com/example/shop", "is_demo": True}
    service = Service.objects.create(**values | fields)
    state = {"state": "healthy", "latency_ms": 12.4, "probes": 240}
    ServiceHealth.objects.create(service=service, **state)
    now = timezone.now().replace(second=0, microsecond=0)
    ProbeMinute.objects.bulk_create(
        ProbeMinute(
            service=service,
            minute=now - timedelta(minutes=n),
            count=12,
            p50_ms=10 + n % 5,
            p95_ms=20,
        )
        for n in range(20)
    )
    return service


def incident(service: Service, **fields: Any) -> Incident:
    """Return an incident with its first timeline entry and nothing else."""
    now = timezone.now()
    values: dict[str, Any] = {
        "fingerprint": digest_of([service.pk, Incident.objects.count()]),
        "title": "Shop API: NameError on GET /health",
        "status": "DETECTED",
        "severity": "medium",
        "failure": {"symptom": "http_error", "error_type": "NameError", "method": "GET"}
        | {"path": "/health", "status": 500, "traceback": TRACE},
        "failed_since": now - timedelta(seconds=95),
        "detected_at": now - timedelta(seconds=94),
    }
    row = Incident.objects.create(service=service, **values | fields)
    say(row, "detected", f"Detected by probe: {row.title}", at=row.detected_at)
    return row


def say(row: Incident, kind: str, text: str, **fields: Any) -> TimelineEntry:
    """Add a timeline entry without telling anybody."""
    return TimelineEntry.objects.create(incident=row, kind=kind, text=text, **fields)


def asked(service: Service, **fields: Any) -> Incident:
    """Return an incident with cause, proven fix, review and ruling, that waits for a person."""
    waits = {"status": "AWAITING_APPROVAL", "step": "", "severity": "blocker", "category": "code"}
    waits |= {"waits_for": "Shweta (team lead) is asked to approve."}
    row = incident(service, **waits | fields)
    studied(row)
    fix = proposed(row)
    tried(fix)
    reviewed(fix)
    ruled(row, fix, Decision.Kind.ASK)
    for kind, text, ms in [
        ("evidence", "Evidence collected.", 180),
        ("diagnosed", "Root cause (built-in): check_subsystems is not defined in handler.py", 420),
        ("proposed", "Proposed: put back the one changed line in handler.py", 90),
        ("tried", "The fix passed its trial; the failure was reproduced without the fix.", 1900),
        ("reviewed", "Safety review (built-in): passed", 300),
        ("decided", "Shweta (team lead) is asked to approve.", 20),
    ]:
        say(row, kind, text, duration_ms=ms)
    return row


def studied(row: Incident) -> Diagnosis:
    """Write evidence and diagnosis."""
    current, last_good = Blob.keep({"handler.py": BAD}), Blob.keep({"handler.py": GOOD})
    changes = unified_diff({"handler.py": GOOD}, {"handler.py": BAD})
    items = [
        ("answer", "The failing observation", "GET /health -> 500\nNameError"),
        ("traceback", "Traceback", TRACE),
        ("process", "Process", "phase: running\npid: 4121"),
        ("log", "Log before the failure", LOG),
        ("changes", "Changes since last known good", changes),
        ("deployments", "Deployments of the last day", "02:10:00 healthy for #3"),
    ]
    Evidence.objects.create(
        incident=row,
        attempt=row.attempt,
        items=[
            {"id": f"E{n}", "kind": kind, "title": title, "body": body}
            for n, (kind, title, body) in enumerate(items, 1)
        ],
        pack={
            "process": {"phase": "running", "pid": 4121, "memory_bytes": 38_000_000, "threads": 3},
            "log_tail": LOG,
            "stacks": "",
            "measured": {},
            "similar": [],
        },
        current=current,
        last_good=last_good,
    )
    return Diagnosis.objects.create(
        incident=row,
        attempt=row.attempt,
        category="code",
        root_cause="handler.py calls check_subsystems, which is defined nowhere.",
        file="handler.py",
        line=22,
        plain="The shop's health check asks a helper that does not exist, so every check fails.",
        analogy="It is like dialling a colleague whose number was never set up.",
        certainty=0.93,
        ruled_out=[
            "Configuration: config.json is as it was",
            "Resources: memory and files are fine",
        ],
        impact={"probes": 24, "failed_probes": 19},
    )


def proposed(row: Incident, **fields: Any) -> Fix:
    """Write the fix that puts the changed line back."""
    before, after = Blob.keep({"handler.py": BAD}), Blob.keep({"handler.py": GOOD})
    writes = {"handler.py": {"before": before["handler.py"], "after": after["handler.py"]}}
    values: dict[str, Any] = {
        "actions": [{"kind": "revert", "path": "handler.py", "hunks": ["h1"]}],
        "writes": writes,
        "diff": unified_diff({"handler.py": BAD}, {"handler.py": GOOD}),
        "explanation": "Put back the one changed line in handler.py; everything else stays.",
        "risks": "None known: the line is as it was an hour ago.",
        "digest": digest_of(["fix", row.pk, fields]),
        "base_digest": digest_of(["base", row.pk]),
        "lines_changed": 2,
        "proved_minimal": True,
        "state": Fix.State.CHOSEN,
    }
    return Fix.objects.create(incident=row, attempt=row.attempt, **values | fields)


def tried(fix: Fix, *, passed: bool | None = True) -> Trial:
    """Write the receipt."""
    good = {"status": 200, "failure": "", "ms": 3.1, "bytes": 24}
    bad = {"status": 500, "failure": "", "ms": 2.2, "bytes": 310}
    line = {"method": "GET", "source": "smoke", "verdict": "ok", "differences": []}
    receipt = {
        "requests": [
            line
            | {
                "kind": "failing",
                "path": "/health",
                "before": bad,
                "after": good,
                "expected": good,
            },
            line
            | {
                "kind": "good",
                "path": "/api/products",
                "before": good,
                "after": good,
                "expected": good,
            },
            line
            | {
                "kind": "good",
                "path": "/api/config",
                "before": good,
                "after": good,
                "expected": good,
            },
        ],
        "start_up": {"answered": True, "seconds": 0.21},
        "start_up_without": {"answered": True, "seconds": 0.2},
        "usage": {"peak_memory_bytes": 31_000_000},
    }
    return Trial.objects.create(
        fix=fix,
        passed=passed,
        applied=True,
        reproduced=True,
        reason="" if passed else "GET /health still fails: NameError",
        receipt=receipt,
        digest=digest_of(["trial", fix.pk]),
        isolation="namespaces",
        duration_ms=1900,
    )


def reviewed(fix: Fix, *, passed: bool = True) -> SafetyReview:
    """Write the verdict of the built-in reviewer."""
    finding = {
        "rule": "os.system",
        "policy": "no_shell",
        "detail": "calls a shell",
        "path": "handler.py",
    }
    return SafetyReview.objects.create(
        fix=fix,
        reviewer="built-in",
        passed=passed,
        score=1.0 if passed else 0.2,
        policies={"editable_files": True, "no_shell": passed, "no_secrets": True},
        findings=[] if passed else [finding | {"line": 9, "severity": "high"}],
    )


def ruled(row: Incident, fix: Fix | None, kind: str, **fields: Any) -> Decision:
    """Write the rules' ruling."""
    values: dict[str, Any] = {
        "severity": row.severity,
        "score": 0.90,
        "terms": TERMS,
        "reasons": [f"severity {row.severity} needs a person (alone up to medium)"],
        "needed_role": "team_lead",
        "fix_digest": fix.digest if fix else "",
        "base_digest": fix.base_digest if fix else "",
        "expires_at": timezone.now() + timedelta(hours=24),
    }
    return Decision.objects.create(
        incident=row, attempt=row.attempt, fix=fix, kind=kind, **values | fields
    )


def resolved(
    service: Service, person: User, *, at: datetime | None = None, **fields: Any
) -> Incident:
    """Return an incident that went the whole way with a person's approval."""
    row = asked(service, **{"severity": "high"} | fields)
    fix = row.fixes.get(state=Fix.State.CHOSEN)
    decision = ruled(row, fix, Decision.Kind.APPROVE, actor=person, terms=[], reason="Looks right")
    now = at or timezone.now()
    Deployment.objects.create(
        incident=row,
        fix=fix,
        decision=decision,
        state="healthy",
        written_at=now,
        healthy_at=now + timedelta(seconds=2),
        outcome="healthy",
    )
    say(row, "approve", f"{person} approved the fix. “Looks right”", actor=str(person))
    say(row, "verified", "Healthy again; watching for a relapse.", duration_ms=2100)
    Incident.objects.filter(pk=row.pk).update(status="RESOLVED", ended_at=now, waits_for="")
    Comment.objects.create(incident=row, author=person, text="Same as last week @yash")
    row.refresh_from_db()
    return row
