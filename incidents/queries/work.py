"""Who in the team has what: open incidents by the person they are assigned to."""

from __future__ import annotations

from typing import Any

from incidents.models import Incident
from incidents.queries.listing import row
from incidents.states import OPEN


def by_person() -> list[dict[str, Any]]:
    """Return people with their open incidents, then what nobody has; one query."""
    found = Incident.objects.filter(status__in=OPEN).select_related("service", "assignee")
    groups: dict[int, dict[str, Any]] = {}
    for incident in found.order_by("-id")[:200]:
        person = incident.assignee
        group = groups.setdefault(person.pk if person else 0, {"person": person, "rows": []})
        group["rows"].append(row(incident))
    nobody = groups.pop(0, None)
    people = sorted(groups.values(), key=lambda group: str(group["person"]))
    return [*people, nobody] if nobody else people
