"""What the team page shows of incidents: who is on call this week, and what was decided lately."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import timezone

from incidents.alerts.duty import rotated
from incidents.models import Decision, OnCall
from monitoring.models import Service
from teams.access import allowed_verbs, people_who_may
from teams.models import User
from teams.roles import Verb

DECISIONS_SHOWN = 10


def duty(person: User) -> dict[str, Any]:
    """Return who is on call this week, and for those who may set it whom and for what."""
    may_set = Verb.CONFIGURE in allowed_verbs(person)
    context = {"on_call": on_call(timezone.now().date()), "may_set": may_set}
    if may_set:
        context["services"] = list(Service.objects.order_by("name").values_list("slug", "name"))
        context["able"] = people_who_may(Verb.ACKNOWLEDGE)
    return context


def on_call(day: date) -> list[dict[str, Any]]:
    """Return each order with its people as they stand this week, the first one first; one query."""
    rows = OnCall.objects.select_related("service", "person").order_by("position", "id")
    orders: dict[str, list[OnCall]] = {}
    for row in rows:
        name = row.service.name if row.service else "Every other service"
        orders.setdefault(name, []).append(row)
    return [_order(name, orders[name], day) for name in sorted(orders)]


def _order(name: str, places: list[OnCall], day: date) -> dict[str, Any]:
    """Return an order of this week; those who left stand in `gone`, for whoever takes them out."""
    people = rotated([place.person for place in places], day)
    at = {place.person_id: place.pk for place in places}
    return {
        "service": name,
        "people": [{"person": person, "place": at[person.pk]} for person in people],
        "gone": [
            {"person": place.person, "place": place.pk}
            for place in places
            if not place.person.is_admitted
        ],
    }


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
