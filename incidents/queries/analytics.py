"""The figures of the analytics, each computed from timestamps in rows; no figure is stored anywhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from math import ceil
from statistics import median
from typing import Any

from django.utils import timezone

from incidents.queries.analytics_rows import Case, Judged, Rows
from incidents.states import ENDED, OPEN, Status
from incidents.values import Category, Severity

RESOLVED = frozenset({Status.RESOLVED, Status.CLOSED})
RECURRENCES_SHOWN = 10
LONGEST_DAILY = 62  # beyond that, weeks: a chart of more bars says less


def summary(rows: Rows) -> dict[str, Any]:
    """Return the main figures; seconds are floats, shares 0..1, and None stands for "nothing to measure"."""
    cases = rows.cases
    resolved = [case for case in cases if case.status in RESOLVED]
    alone = [case for case in resolved if case.alone]
    recovered = [case for case in cases if is_false_alarm(case)]
    return {
        "total": len(cases),
        "open": sum(case.status in OPEN for case in cases),
        "resolved": len(resolved),
        "resolution_rate": share(len(resolved), len(cases)),
        "auto_fixed": len(alone),
        "auto_fix_rate": share(len(alone), len(cases)),
        "false_positives": len(recovered),
        "false_positive_rate": share(len(recovered), len(cases)),
        "mttd": spread(seconds(case.failed_since, case.detected_at) for case in cases),
        "mtta": spread(seconds(case.detected_at, case.acknowledged_at) for case in cases),
        "mttr": spread(seconds(case.detected_at, case.ended_at) for case in resolved),
        "recurring": sum(count - 1 for count in _causes(cases).values()),
        "reopened": sum(case.reopened for case in cases),
        "cost_usd": round(sum(case.cost_usd for case in cases), 4),
        "tokens": sum(case.tokens for case in cases),
    }


def is_false_alarm(case: Case) -> bool:
    """Say whether an incident went away without any change: the service recovered, and nothing was deployed."""
    return case.status == Status.RECOVERED and not case.changed


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """Return the time between two moments, None when either is missing; never below zero."""
    return max((end - start).total_seconds(), 0.0) if start and end else None


def share(part: int, whole: int) -> float | None:
    """Return a share, None of nothing."""
    return round(part / whole, 4) if whole else None


def spread(values: Iterable[float | None]) -> dict[str, float | int | None]:
    """Return median and 90th percentile (nearest rank) of the values that there are."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return {"count": 0, "median": None, "p90": None}
    rank = ceil(0.9 * len(known)) - 1
    return {"count": len(known), "median": round(median(known), 3), "p90": round(known[rank], 3)}


def _causes(cases: Sequence[Case]) -> Counter[str]:
    return Counter(case.fingerprint for case in cases)


def by_severity(rows: Rows) -> list[tuple[str, int]]:
    """Return counts by severity, the worst first, also of those that had none."""
    counts = Counter(case.severity for case in rows.cases)
    return [(level.value, counts[level.value]) for level in reversed(Severity)]


def by_category(rows: Rows) -> list[tuple[str, int]]:
    """Return counts by kind of failure, of those that there were, the most frequent first."""
    counts = Counter(case.category for case in rows.cases)
    found = [(kind.value, counts[kind.value]) for kind in Category if counts[kind.value]]
    return sorted(found, key=lambda row: -row[1])


def by_service(rows: Rows) -> list[dict[str, Any]]:
    """Return the main figures of each service, in the order of names."""
    grouped: dict[str, list[Case]] = defaultdict(list)
    for case in rows.cases:
        grouped[case.service].append(case)
    return [
        {"service": name, **summary(Rows(span=rows.span, cases=cases))}
        for name, cases in sorted(grouped.items())
    ]


def recurrences(rows: Rows) -> list[dict[str, Any]]:
    """Return the causes that came more than once, the most frequent first."""
    latest = {case.fingerprint: case for case in rows.cases}
    return [
        {"id": latest[cause].id, "title": latest[cause].title, "count": count}
        for cause, count in _causes(rows.cases).most_common(RECURRENCES_SHOWN)
        if count > 1
    ]


def team(rows: Rows) -> list[dict[str, Any]]:
    """Return who decided what, how fast, and what held; in the order of names, not of merit."""
    grouped: dict[str, list[Judged]] = defaultdict(list)
    for row in rows.decisions:
        grouped[row.person].append(row)
    return [_person(name, decided) for name, decided in sorted(grouped.items())]


def _person(name: str, decided: list[Judged]) -> dict[str, Any]:
    kinds = Counter(row.kind for row in decided)
    known = [row.held for row in decided if row.held is not None]
    return {
        "person": name,
        "decisions": len(decided),
        "kinds": dict(sorted(kinds.items())),
        "time_to_decide": spread(row.seconds for row in decided),
        "held": sum(known),
        "outcomes": len(known),
    }


def over_time(rows: Rows) -> list[dict[str, Any]]:
    """Return one bucket a day, or a week (from Monday) in long spans: how incidents ended, and the median MTTR."""
    weekly = len(rows.span.days) > LONGEST_DAILY
    buckets: dict[date, list[Case]] = {_bucket(day, weekly=weekly): [] for day in rows.span.days}
    for case in rows.cases:
        day = timezone.localtime(case.detected_at).date()
        buckets[_bucket(day, weekly=weekly)].append(case)
    return [_in_bucket(day, cases) for day, cases in buckets.items()]


def _bucket(day: date, *, weekly: bool) -> date:
    return day - timedelta(days=day.weekday()) if weekly else day


def _in_bucket(day: date, cases: list[Case]) -> dict[str, Any]:
    resolved = [case for case in cases if case.status in RESOLVED]
    alone = sum(case.alone for case in resolved)
    times = spread(seconds(case.detected_at, case.ended_at) for case in resolved)
    return {
        "day": day,
        "total": len(cases),
        "alone": alone,
        "with_people": len(resolved) - alone,
        "other_ends": sum(case.status in ENDED - RESOLVED for case in cases),
        "open": sum(case.status in OPEN for case in cases),
        "mttr": times["median"],
    }


def whole(rows: Rows) -> dict[str, Any]:
    """Return everything, as the API gives it; times are seconds."""
    return {
        "from": rows.span.first,
        "to": rows.span.last,
        "service": rows.span.service or None,
        **summary(rows),
        "by_severity": dict(by_severity(rows)),
        "by_category": dict(by_category(rows)),
        "by_service": by_service(rows),
        "recurrences": recurrences(rows),
        "team": team(rows),
        "over_time": over_time(rows),
    }
