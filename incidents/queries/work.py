"""Who in the team has what: open incidents by the person they are assigned to."""

from __future__ import annotations

from typing import Any

from incidents.models import Incident
from incidents.queries.lines import line_html, lines
from incidents.states import OPEN
from teams.models import User


def by_person() -> list[dict[str, Any]]:
    """Return people with their open incidents, then what nobody has; two queries."""
    found = lines(Incident.objects.filter(status__in=OPEN).order_by("-id")[:200])
    people = User.objects.in_bulk({line.assignee_id for line in found if line.assignee_id})
    groups: dict[int, dict[str, Any]] = {}
    for line in found:
        key = line.assignee_id or 0
        group = groups.setdefault(key, {"person": people.get(key), "rows": []})
        group["rows"].append(line_html(line))
    nobody = groups.pop(0, None)
    sorted_groups = sorted(groups.values(), key=lambda group: str(group["person"]))
    return [*sorted_groups, nobody] if nobody else sorted_groups
