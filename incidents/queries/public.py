"""What anybody may know of incidents: when, which service, how bad, over or not. Nothing internal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from incidents.models import Incident
from incidents.states import OPEN
from incidents.values import Severity

MOST = 20
FIELDS = ("service__name", "severity", "failed_since", "detected_at", "ended_at")
SHOWN_FOR = timedelta(days=90)
# Titles, causes and errors stay inside: they name files, people and weak spots.
EFFECTS = {
    Severity.BLOCKER: "did not work",
    Severity.CRITICAL: "gave some wrong answers",
    Severity.HIGH: "worked only in part",
    Severity.MEDIUM: "was slow or failed in places",
    Severity.LOW: "had a minor disturbance",
}
# While it goes on nothing may sound as if it were over.
EFFECTS_NOW = {
    Severity.BLOCKER: "does not work",
    Severity.CRITICAL: "gives some wrong answers",
    Severity.HIGH: "works only in part",
    Severity.MEDIUM: "is slow or fails in places",
    Severity.LOW: "has a minor disturbance",
}


def incidents(*, now: datetime) -> dict[str, list[dict[str, Any]]]:
    """Return all open incidents and the latest past ones of services that are shown, by two queries.

    Asked apart: twenty short disturbances must not push one that lasts off the page.
    """
    shown = Incident.objects.filter(service__enabled=True)
    past = shown.exclude(status__in=OPEN).filter(ended_at__gte=now - SHOWN_FOR)
    return {
        "current": _rows(shown.filter(status__in=OPEN).order_by("-id")),
        "past": _rows(past.order_by("-ended_at")),
    }


def _rows(found: QuerySet[Incident]) -> list[dict[str, Any]]:
    rows = [_row(row) for row in found.values(*FIELDS)[:MOST]]
    return sorted(rows, key=lambda row: row["began"], reverse=True)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    began = row["failed_since"] or row["detected_at"]
    ended = row["ended_at"]
    effects = EFFECTS if ended else EFFECTS_NOW
    return {
        "service": row["service__name"],
        "effect": effects[Severity(row["severity"])],
        "began": began,
        "lasted": lasting((ended - began).total_seconds()) if ended else "",
    }


def lasting(seconds: float) -> str:
    """Return a length of time in words: "1 second", "12 minutes", "1.5 hours", "12 hours"."""
    if seconds < 90:
        return _counted(max(1, round(seconds)), "second")
    return (
        _counted(round(seconds / 60), "minute")
        if seconds < 5400
        else _counted(round(seconds / 3600, 1), "hour")
    )


def _counted(number: float, word: str) -> str:
    return f"{number:g} {word}" if number == 1 else f"{number:g} {word}s"
