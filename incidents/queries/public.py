"""What anybody may know of incidents: when, which service, how bad, over or not. Nothing internal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from incidents.models import Incident
from incidents.states import OPEN
from incidents.values import Severity

MOST = 20
SHOWN_FOR = timedelta(days=90)
# Titles, causes and errors stay inside: they name files, people and weak spots.
EFFECTS = {
    Severity.BLOCKER: "did not work",
    Severity.CRITICAL: "gave some wrong answers",
    Severity.HIGH: "worked only in part",
    Severity.MEDIUM: "was slow or failed in places",
    Severity.LOW: "had a minor disturbance",
}


def incidents(*, now: datetime) -> dict[str, list[dict[str, Any]]]:
    """Return the open and the latest past incidents of services that are shown, by one query."""
    shown = Incident.objects.filter(service__enabled=True, detected_at__gte=now - SHOWN_FOR)
    fields = ("service__name", "severity", "status", "failed_since", "detected_at", "ended_at")
    rows = [_row(row) for row in shown.order_by("-id").values(*fields)[:MOST]]
    return {
        "current": [row for row in rows if row["is_open"]],
        "past": [row for row in rows if not row["is_open"]],
    }


def _row(row: dict[str, Any]) -> dict[str, Any]:
    began = row["failed_since"] or row["detected_at"]
    ended = row["ended_at"]
    return {
        "service": row["service__name"],
        "effect": EFFECTS[Severity(row["severity"])],
        "is_open": row["status"] in OPEN,
        "began": began,
        "lasted": _duration((ended - began).total_seconds()) if ended else "",
    }


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
