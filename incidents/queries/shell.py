"""What the header of every page says: services' health, the agent's state, what is unread, what waits."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.utils import timezone

from incidents.models import AgentState, Incident, Notification
from incidents.states import WAITING, WORKING
from monitoring import charts, queries
from monitoring.models import ServiceHealth

SERVICES_SHOWN = 6
WORKING_READ = 50


def header_services() -> list[dict[str, Any]]:
    """Return the services with health and latency, the ill ones first; two queries."""
    columns = ("state", "latency_ms", "service_id", "service__name", "service__slug")
    rows = ServiceHealth.objects.filter(service__enabled=True).values_list(*columns)
    order = {"down": 0, "degraded": 1, "unknown": 2, "healthy": 3}
    shown = sorted(rows, key=lambda row: (order[row[0]], row[3]))[:SERVICES_SHOWN]
    ids = [service_id for _, _, service_id, _, _ in shown]
    latencies = queries.recent_latencies(ids, now=timezone.now())
    return [
        {
            "name": name,
            "url": f"/services/{slug}/",
            "health": state,
            "latency": "" if state == "down" else milliseconds(latency),  # a refusal takes no time
            "points": charts.sparkline(latencies.get(service_id, [])),
        }
        for state, latency, service_id, name, slug in shown
    ]


def milliseconds(value: float | None) -> str:
    """Return a latency in words, empty when there is none."""
    return "" if value is None else f"{value:.0f} ms"


def agent() -> dict[str, Any]:
    """Return what the agent does now, in words; at most three queries."""
    # Not AgentState.now(): it makes the row when there is none, and a page that only looks must not wait for a lock.
    forbidden = (AgentState.objects.filter(pk=1).first() or AgentState()).forbids_changes
    if forbidden:
        return {"state": "paused", "label": "Paused", "note": forbidden}
    # Who took one over is asked here: given both conditions, SQLite reads all that nobody ever took over.
    working = Incident.objects.filter(status__in=WORKING).order_by("-id")
    named = working.values_list("service__name", "taken_over_by")[:WORKING_READ]
    busy = [name for name, person in named if not person]
    if busy:
        return {"state": "healing", "label": f"Healing {_joined(busy)}", "note": ""}
    watched = ServiceHealth.objects.filter(service__enabled=True).count()
    word = "service" if watched == 1 else "services"
    return {"state": "watching", "label": f"Watching {watched} {word}", "note": ""}


def _joined(names: list[str]) -> str:
    return names[0] if len(set(names)) == 1 else "several services"


def unread(person_id: int) -> int:
    """Return how many notifications the person has not read."""
    return Notification.objects.filter(person_id=person_id, read_at=None).count()


def waiting() -> int:
    """Return how many incidents wait for a person."""
    return Incident.objects.filter(status__in=WAITING).count()


def unread_of(people: set[int]) -> dict[int, int]:
    """Return how many notifications each person has not read; one query."""
    rows = Notification.objects.filter(person_id__in=people, read_at=None).order_by()
    counts = dict(rows.values_list("person_id").annotate(Count("id")))
    return {person: counts.get(person, 0) for person in people}
