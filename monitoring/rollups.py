"""Minutes of probing: one row a service and minute instead of a row a probe, and the end of what is old."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from monitoring.models import HealthChange, ProbeMinute, RecordedExchange, ResourceMinute, Service
from monitoring.standing import FAILING
from monitoring.values import Health, Verdict

FLUSH_SECONDS = 10.0
MAX_SAMPLES = 200
KEEP_MINUTES = timedelta(days=7)
KEEP_RESOURCES = timedelta(hours=24)
KEEP_CHANGES = timedelta(days=90)


@dataclass
class _Tally:
    """What one service's minute gathered in this process since the last flush."""

    count: int = 0
    failures: int = 0
    samples: list[float] = field(default_factory=list)


_Key = tuple[int, datetime]
_lock = threading.Lock()
_tallies: dict[_Key, _Tally] = defaultdict(_Tally)
_flushed_at = 0.0


def count(results: Iterable[tuple[int, datetime, Verdict]]) -> None:
    """Count judged probes (service id, start, verdict) in memory; `flush_when_due` writes them.

    A killed worker loses at most `FLUSH_SECONDS` of a chart, and no change of state: those are rows at once.
    """
    with _lock:
        for service_id, began, verdict in results:
            if verdict.health is Health.UNKNOWN:
                continue
            tally = _tallies[service_id, began.replace(second=0, microsecond=0)]
            tally.count += 1
            tally.failures += verdict.health in FAILING
            if verdict.status is not None and len(tally.samples) < MAX_SAMPLES:
                tally.samples.append(round(verdict.latency_ms, 1))


def flush_when_due() -> None:
    """Write the tallies when the last writing was long enough ago."""
    if time.monotonic() - _flushed_at >= FLUSH_SECONDS:
        flush()


def flush() -> int:
    """Add the tallies to their rows and return how many rows that were."""
    global _flushed_at
    with _lock:
        taken = dict(_tallies)
        _tallies.clear()
        _flushed_at = time.monotonic()
    if taken:
        _add(taken)
    return len(taken)


def _add(taken: dict[_Key, _Tally]) -> None:
    """Merge under row locks: other workers tally the same minutes, and a service may be gone by now."""
    with transaction.atomic():
        alive = set(Service.objects.values_list("pk", flat=True))
        taken = {key: tally for key, tally in taken.items() if key[0] in alive}
        known = set(_rows(taken).values_list("service_id", "minute"))
        new = [ProbeMinute(service_id=s, minute=m) for s, m in taken if (s, m) not in known]
        ProbeMinute.objects.bulk_create(new, ignore_conflicts=True, batch_size=500)
        locked = _rows(taken).select_for_update(no_key=True).order_by("id")
        fields = ("id", "service_id", "minute", "samples")
        values = [_merged(row, taken) for row in locked.values(*fields)]
        with connection.cursor() as cursor:
            cursor.executemany(_UPDATE, values)


_UPDATE = f"""UPDATE {ProbeMinute._meta.db_table} SET count = count + %s, failures = failures + %s,
 samples = %s, p50_ms = %s, p95_ms = %s WHERE id = %s"""  # noqa: S608 (a constant)


def _rows(taken: dict[_Key, _Tally]) -> QuerySet[ProbeMinute]:
    return ProbeMinute.objects.filter(minute__in={minute for _, minute in taken})


def _merged(row: dict[str, Any], taken: dict[_Key, _Tally]) -> tuple[Any, ...]:
    tally = taken.get((row["service_id"], row["minute"]), _Tally())
    samples = (row["samples"] + tally.samples)[:MAX_SAMPLES]
    return (
        tally.count,
        tally.failures,
        connection.ops.adapt_json_value(samples, None),
        percentile(samples, 50),
        percentile(samples, 95),
        row["id"],
    )


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile (`share` in 0..100); 0 of no samples."""
    if not samples:
        return 0.0
    return sorted(samples)[max(0, ceil(len(samples) * share / 100) - 1)]


def prune(*, now: datetime) -> None:
    """Delete what is too old to be shown or replayed, and the samples of minutes that are over."""
    ProbeMinute.objects.filter(minute__lt=now - KEEP_MINUTES).delete()
    ResourceMinute.objects.filter(minute__lt=now - KEEP_RESOURCES).delete()
    over = ProbeMinute.objects.filter(minute__lt=now - timedelta(minutes=5))
    over.filter(minute__gte=now - timedelta(minutes=10)).update(samples=[])
    HealthChange.objects.filter(at__lt=now - KEEP_CHANGES, consumed_at__isnull=False).delete()
    oldest = now - timedelta(seconds=settings.RECORDER_MAX_AGE_SECONDS)
    RecordedExchange.objects.filter(at__lt=oldest).delete()
