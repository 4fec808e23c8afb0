"""What happened and what people said, in order."""

from __future__ import annotations

from typing import Any

from django.db.models import Max

from incidents.models import Comment, Incident, TimelineEntry
from incidents.queries.words import duration
from incidents.timeline import AGENT

ENTRIES_SHOWN = 100
COMMENTS_SHOWN = 20
COMMENTS_MORE = 100
"""How many comments the page opens with, and how many it adds at a time."""
KIND_ICONS = {
    "detected": ("detect", "warn"),
    "joined": ("detect", "warn"),
    "evidence": ("file", ""),
    "diagnosed": ("diagnose", "info"),
    "proposed": ("fix", "info"),
    "testing": ("prove", ""),
    "tried": ("prove", "info"),
    "reviewed": ("review", "info"),
    "decided": ("hand", "ask"),
    "approve": ("check", "ok"),
    "override": ("warning", "warn"),
    "reject": ("reject", "danger"),
    "request_changes": ("edit", "warn"),
    "deploying": ("deploy", "info"),
    "deployed": ("deploy", "info"),
    "verified": ("verify", "ok"),
    "settled": ("verify", "ok"),
    "recovered": ("recover", "ok"),
    "undone": ("undo", "danger"),
    "not_healthy": ("warning", "danger"),
    "deploy_failed": ("warning", "danger"),
    "relapse": ("warning", "danger"),
    "voided": ("warning", "warn"),
    "no_fix": ("escalate", "warn"),
    "comment": ("comment", ""),
    "fallback": ("info", "warn"),
    "refused": ("x", "warn"),
    "reported": ("reports", ""),
    "reopened": ("undo", "warn"),
    "taken_over": ("user", "ask"),
    "handed_back": ("agent", "info"),
    "assigned": ("user", ""),
    "acknowledged": ("check", ""),
    "closed": ("archive", ""),
}


def comments(incident: Incident, *, after: int = 0) -> list[Comment]:
    """Return the discussion in order, that after an id; one query."""
    said = incident.comments.filter(id__gt=after)
    return list(said.select_related("author").order_by("id"))


def discussion(incident: Incident, *, since: int = 0) -> dict[str, Any]:
    """Return the newest comments, or all from an id on, with how many `earlier` ones there are; two queries."""
    said = incident.comments.select_related("author").order_by("-id")
    shown = list(said.filter(id__gte=since) if since else said[:COMMENTS_SHOWN])
    return _shown(incident, shown)


def earlier_comments(incident: Incident, *, before: int) -> dict[str, Any]:
    """Return the comments right before an id in the same shape; two queries."""
    said = incident.comments.select_related("author").order_by("-id").filter(id__lt=before)
    return _shown(incident, list(said[:COMMENTS_MORE]))


def _shown(incident: Incident, newest_first: list[Comment]) -> dict[str, Any]:
    first = newest_first[-1].pk if newest_first else 0
    earlier = incident.comments.filter(id__lt=first).count() if first else 0
    return {
        "comments": newest_first[::-1],
        "first": first,
        "newest": newest_first[0].pk if newest_first else 0,
        "earlier": earlier,
        "more": min(earlier, COMMENTS_MORE),
    }


def timeline(incident_id: int, *, after: int = 0, last: int | None = None) -> list[dict[str, Any]]:
    """Return timeline entries in order: those after an id, or the last so many; one query."""
    rows = TimelineEntry.objects.filter(incident_id=incident_id, id__gt=after).order_by("-id")
    return [entry(row) for row in reversed(rows[:last] if last else rows)]


def entry(row: TimelineEntry) -> dict[str, Any]:
    """Return one timeline entry in the shape that components/timeline_entry.html documents."""
    icon, tone = KIND_ICONS.get(row.kind, ("clock", ""))
    took = "" if row.duration_ms is None else f"took {duration(row.duration_ms / 1000)}"
    return {
        "id": row.pk,
        "at": row.at,
        "icon": icon,
        "tone": tone,
        "actor": "" if row.actor == AGENT else row.actor,
        "text": _without_actor(row.text, row.actor),
        "detail": took,
    }


def _without_actor(text: str, actor: str) -> str:
    """Return the text without the name that stands before it in bold anyway."""
    return text.removeprefix(f"{actor} ").replace(f" ({actor})", "", 1) if actor else text


def count(incident_id: int) -> int:
    """Return how many entries the timeline has; one query."""
    return TimelineEntry.objects.filter(incident_id=incident_id).count()


def newest_of(incident_ids: set[int]) -> dict[int, int]:
    """Return the newest entry of each incident; one query."""
    rows = TimelineEntry.objects.filter(incident_id__in=incident_ids).order_by()
    return dict(rows.values_list("incident_id").annotate(last=Max("id")))


def went_on_since(entry: int) -> tuple[int, set[int]]:
    """Return the newest entry and the incidents that have one after `entry`; one query."""
    rows = TimelineEntry.objects.filter(id__gt=entry).order_by()
    last = dict(rows.values_list("incident_id").annotate(last=Max("id")))
    return max(last.values(), default=entry), set(last)
