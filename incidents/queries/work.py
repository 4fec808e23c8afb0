"""Who in the team has what: open incidents and follow-ups by the person they are given to."""

from __future__ import annotations

from typing import Any

from incidents.models import FollowUp, Incident
from incidents.queries.lines import line_html, lines
from incidents.states import OPEN
from teams.models import User

MOST = 200


def by_person() -> list[dict[str, Any]]:
    """Return people with their open incidents and follow-ups, then the incidents that nobody has; three queries."""
    found = lines(Incident.objects.filter(status__in=OPEN).order_by("-id")[:MOST])
    given = FollowUp.objects.filter(done_at=None, assignee__isnull=False).order_by("-id")[:MOST]
    todo = list(given.only("text", "report_id", "assignee_id", "created_at"))
    ids = {line.assignee_id for line in found} | {row.assignee_id for row in todo}
    people = User.objects.in_bulk([pk for pk in ids if pk])
    groups: dict[int, dict[str, Any]] = {}
    for line in found:
        _group(groups, people, line.assignee_id)["rows"].append(line_html(line))
    for row in todo:
        _group(groups, people, row.assignee_id)["follow_ups"].append(row)
    nobody = groups.pop(0, None)
    sorted_groups = sorted(groups.values(), key=lambda group: str(group["person"]))
    return [*sorted_groups, nobody] if nobody else sorted_groups


def _group(
    groups: dict[int, dict[str, Any]], people: dict[int, User], person: int | None
) -> dict[str, Any]:
    new: dict[str, Any] = {"person": people.get(person or 0), "rows": [], "follow_ups": []}
    return groups.setdefault(person or 0, new)
