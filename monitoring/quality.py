"""How well a service answered in a stretch of time: the share of failed answers, and the latency."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from monitoring.models import ProbeMinute, RecordedExchange, Service

UNREACHED = ("refused", "reset", "unreachable")
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Quality:
    """`error_share` is 0..1 of `count` answers; `p95_ms` is the 95th percentile in milliseconds, None without any."""

    count: int = 0
    error_share: float = 0.0
    p95_ms: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as it is stored with a deployment."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much worse is worse: `error_share` is added, `factor` multiplied; `least_ms` and `least_count` stop chance."""

    error_share: float
    factor: float
    least_ms: float
    least_count: int


def measured(service: Service, *, since: datetime, until: datetime) -> Quality:
    """Return how the service answered from `since` to `until`: recorded requests, and the whole minutes of probing.

    Requests that reached nobody do not count: whoever restarts a service has not made it worse, and a process that ended
    by itself is a failure of its own, which watcher and probes tell at once.
    """
    ring = RecordedExchange.objects.filter(service=service, at__gte=since, at__lt=until)
    rows = list(ring.exclude(failure__in=UNREACHED).values_list("good", "elapsed_ms"))
    minutes = list(
        ProbeMinute.objects.filter(service=service, minute__gte=since, minute__lte=until - _MINUTE)
    )
    count = len(rows) + sum(minute.count for minute in minutes)
    failed = sum(not good for good, _ms in rows) + sum(minute.failures for minute in minutes)
    latencies = [ms for _good, ms in rows]
    for minute in minutes:
        latencies += minute.samples or [minute.p95_ms]
    return Quality(
        count=count,
        error_share=round(failed / count, 4) if count else 0.0,
        p95_ms=_p95(latencies),
    )


def _p95(values: list[float]) -> float | None:
    return round(sorted(values)[ceil(0.95 * len(values)) - 1], 2) if values else None


def worse(before: Quality, after: Quality, limits: Limits) -> str:
    """Return how the service became worse, or an empty text; too few answers prove nothing."""
    if after.count < limits.least_count:
        return ""
    if after.error_share > before.error_share + limits.error_share:
        return (
            f"{after.error_share:.0%} of {after.count} answers failed, "
            f"{before.error_share:.0%} before the fault"
        )
    if before.p95_ms is None or after.p95_ms is None:
        return ""
    if after.p95_ms > max(limits.factor * before.p95_ms, before.p95_ms + limits.least_ms):
        return f"answers take {after.p95_ms:.0f} ms, {before.p95_ms:.0f} ms before the fault"
    return ""
