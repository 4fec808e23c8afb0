"""Uptime by day, from the changes of state: exact, and two queries for any number of services."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from monitoring.models import HealthChange, Service
from monitoring.values import Health

DAYS = 90
_DAY = timedelta(days=1)
_WORST_FIRST = (Health.DOWN, Health.DEGRADED, Health.HEALTHY)


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of time in one state."""

    state: str
    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True)
class Day:
    """One day in UTC: seconds watched and seconds down, and the worst that was seen."""

    start: datetime
    state: str
    watched: float
    down: float


def days_of(services: Sequence[Service], *, now: datetime) -> dict[int, list[Day]]:
    """Return the last `DAYS` days of each service (fetched with its health), oldest first."""
    start = _midnight(now) - (DAYS - 1) * _DAY
    changes: dict[int, list[tuple[str, str, datetime]]] = {one.pk: [] for one in services}
    for service_id, before, after, at in _changes(changes, start):
        changes[service_id].append((before, after, at))
    return {
        one.pk: by_day(spans(one, changes[one.pk], start=start, now=now), start=start)
        for one in services
    }


def spans(
    service: Service,
    changes: Iterable[tuple[str, str, datetime]],
    *,
    start: datetime,
    now: datetime,
) -> list[Span]:
    """Return the states of a service from `start` to `now`; nothing is claimed for before it was registered."""
    health = getattr(service, "health", None)
    state = health.state if health else Health.UNKNOWN.value
    begin = max(start, min(service.created_at, now))
    found: list[Span] = []
    known = list(changes)
    if known:
        state = known[0][0]
    for _before, after, at in known:
        found.append(Span(state=state, start=begin, end=max(begin, at)))
        state, begin = after, max(begin, at)
    return [*found, Span(state=state, start=begin, end=now)]


def by_day(found: Sequence[Span], *, start: datetime) -> list[Day]:
    """Cut spans into `DAYS` days."""
    return [_day(found, start + number * _DAY) for number in range(DAYS)]


def share(days: Iterable[Day]) -> float | None:
    """Return the percentage of watched time in which the service was not down; None when nothing was watched."""
    watched, down = 0.0, 0.0
    for day in days:
        watched, down = watched + day.watched, down + day.down
    return 100 * (1 - down / watched) if watched else None


def _day(found: Sequence[Span], begin: datetime) -> Day:
    seconds: dict[str, float] = {}
    for span in found:
        inside = (min(span.end, begin + _DAY) - max(span.start, begin)).total_seconds()
        if inside > 0:
            seconds[span.state] = seconds.get(span.state, 0.0) + inside
    seconds.pop(Health.UNKNOWN, None)
    worst = next((one for one in _WORST_FIRST if seconds.get(one)), Health.UNKNOWN)
    down = seconds.get(Health.DOWN, 0.0)
    return Day(start=begin, state=worst.value, watched=sum(seconds.values()), down=down)


def _changes(ids: Iterable[int], start: datetime) -> QuerySet[HealthChange, Any]:
    rows = HealthChange.objects.filter(service_id__in=list(ids), at__gte=start).order_by("at", "id")
    return rows.values_list("service_id", "before", "after", "at")


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
