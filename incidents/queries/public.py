"""What anybody may know of incidents: when, which service, how bad, over or not. Nothing internal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, QuerySet
from django.db.models.functions import Coalesce

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
    """Return what is open, once for each service, and the latest past incidents of services that are shown, by two queries.

    Asked apart: twenty short disturbances must not push one that lasts off the page.
    """
    shown = Incident.objects.filter(service__enabled=True)
    past = shown.exclude(status__in=OPEN).filter(ended_at__gte=now - SHOWN_FOR)
    return {
        "current": _by_service(shown.filter(status__in=OPEN)),
        "past": _newest_first(
            _row(row) for row in past.order_by("-ended_at").values(*FIELDS)[:MOST]
        ),
    }


def _by_service(found: QuerySet[Incident]) -> list[dict[str, Any]]:
    """Return a row for each service with its worst effect, how many incidents it has, and since when it is ill.

    Five lines that say almost the same of one service look like five troubles, and push another's off the page.
    """
    groups = found.order_by().values("service_id", "service__name", "severity")
    began = Min(Coalesce("failed_since", "detected_at"))
    of: dict[int, list[dict[str, Any]]] = {}
    for row in groups.annotate(count=Count("id"), began=began):
        of.setdefault(row["service_id"], []).append(dict(row))
    return _newest_first(_together(rows) for rows in of.values())[:MOST]


def _together(rows: list[dict[str, Any]]) -> dict[str, Any]:
    worst = max(rows, key=lambda row: Severity(row["severity"]).rank)
    return {
        "service": worst["service__name"],
        "effect": EFFECTS_NOW[Severity(worst["severity"])],
        "began": min(row["began"] for row in rows),
        "count": sum(row["count"] for row in rows),
    }


def _newest_first(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["began"], reverse=True)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    began = row["failed_since"] or row["detected_at"]
    return {
        "service": row["service__name"],
        "effect": EFFECTS[Severity(row["severity"])],
        "began": began,
        "lasted": lasting((row["ended_at"] - began).total_seconds()),
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
