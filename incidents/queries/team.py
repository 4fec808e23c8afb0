"""What the team page shows of incidents: who is on call this week, and what was decided lately."""

from __future__ import annotations

from datetime import date
from typing import Any

from incidents.alerts.duty import rotated
from incidents.models import Decision, OnCall
from teams.models import User

DECISIONS_SHOWN = 10


def on_call(day: date) -> list[dict[str, Any]]:
    """Return each order with its people as they stand this week, the first one first; one query."""
    rows = OnCall.objects.select_related("service", "person").order_by("position", "id")
    orders: dict[str, list[User]] = {}
    for row in rows:
        name = row.service.name if row.service else "Every other service"
        orders.setdefault(name, []).append(row.person)
    shown = {name: rotated(people, day) for name, people in orders.items()}
    return [
        {"service": name, "first": people[0], "then": people[1:]}
        for name, people in sorted(shown.items())
        if people
    ]


def recent_decisions() -> list[dict[str, Any]]:
    """Return what people decided lately; one query."""
    rows = Decision.objects.filter(actor__isnull=False).select_related("actor", "incident")
    return [
        {
            "person": row.actor,
            "kind": Decision.Kind(row.kind).label.lower(),
            "incident": row.incident,
            "at": row.created_at,
        }
        for row in rows.order_by("-id")[:DECISIONS_SHOWN]
    ]
