"""Claims the services that are due: read and moved on under one lock, so that two workers never ask the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from monitoring import hints
from monitoring.models import Service, ServiceHealth, Snapshot
from monitoring.schedule import EARLY_INTERVAL, phase, plan
from monitoring.standing import FAILING
from monitoring.values import Health, ServiceSpec

EARLY_PROBES = 30
MOST_EARLY = 10  # when many are registered at once, nobody is asked more often
MOST_AT_ONCE = 5000
_FIELDS = ("service_id", "state", "probes", "next_due_at", "deep_requested")
_SERVICE_FIELDS = ("runtime", "host", "port", "health_path", "interval", "timeout", "slow_ms", "deep_every")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Due:
    """One claimed service: where and when to ask, and, for a deep probe, the whole row."""

    service_id: int
    state: Health
    runtime: str
    base_url: str
    health_path: str
    timeout: float
    slow_ms: float
    starts: tuple[float, ...]
    is_early: bool
    deep: Service | None


def is_due(*, until: datetime) -> bool:
    """Return whether any enabled service is due before `until`; takes no lock and promises nothing."""
    return _due(until).exists()


def claim_due(*, now: datetime, window: float) -> list[Due]:
    """Claim every enabled service that is due before `now + window` seconds, and set its next due time.

    The rows are locked while they are read and moved on (SQLite: the write lock of the transaction; PostgreSQL: row
    locks, and rows that another worker holds are skipped), which makes the UPDATE a guarded one.
    """
    with transaction.atomic():
        rows = _due_rows(until=now + timedelta(seconds=window))
        if not rows:
            return []
        early = _without_snapshot(rows)
        planned = [_planned(row, now, window, early) for row in rows]
        _move_on([(row, plan_.next_due) for row, plan_ in planned], now)
    return _with_deep(planned, early)


def request_probe(service_id: int, *, now: datetime, deep: bool = False) -> None:
    """Make a service due now and wake a prober; `deep` also asks its smoke requests and invariants."""
    changes = {"next_due_at": now} | ({"deep_requested": True} if deep else {})
    if ServiceHealth.objects.filter(service_id=service_id).update(**changes):
        hints.probe_wanted()


def _due(until: datetime) -> QuerySet[ServiceHealth]:
    return ServiceHealth.objects.filter(service__enabled=True, next_due_at__lt=until)


def _due_rows(*, until: datetime) -> list[dict[str, Any]]:
    names = _FIELDS + tuple(f"service__{name}" for name in _SERVICE_FIELDS)
    locked = _due(until).select_for_update(skip_locked=True, no_key=True)
    return list(locked.order_by("next_due_at").values(*names)[:MOST_AT_ONCE])


def _without_snapshot(rows: Sequence[dict[str, Any]]) -> set[int]:
    """Return the young services that have no last known good: they are asked more often until they have one."""
    young = {row["service_id"] for row in rows if row["probes"] < EARLY_PROBES}
    if not young or len(young) > MOST_EARLY:
        return set()
    kept = Snapshot.objects.filter(service_id__in=young).values_list("service_id", flat=True)
    return young - set(kept.distinct().order_by())


def _planned(row: dict[str, Any], now: datetime, window: float, early: set[int]) -> Any:
    due = (row["next_due_at"] - now).total_seconds()
    is_early = row["service_id"] in early and row["state"] not in FAILING
    interval = (
        min(row["service__interval"], EARLY_INTERVAL) if is_early else row["service__interval"]
    )
    first = not row["probes"] and not is_early
    return row, plan(
        due, interval=interval, window=window, spread=phase(row["service_id"]) if first else 0.0
    )


def _move_on(rows: Sequence[tuple[dict[str, Any], float]], now: datetime) -> None:
    adapt = connection.ops.adapt_datetimefield_value
    table = ServiceHealth._meta.db_table
    values = [
        (adapt(now + timedelta(seconds=next_due)), False, row["service_id"])
        for row, next_due in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE {table} SET next_due_at = %s, deep_requested = %s WHERE service_id = %s",  # noqa: S608 (a constant)
            values,
        )


def _with_deep(planned: Sequence[Any], early: set[int]) -> list[Due]:
    deep_ids = [row["service_id"] for row, _ in planned if _is_deep(row)]
    services = Service.objects.in_bulk(deep_ids) if deep_ids else {}
    return [
        Due(
            service_id=row["service_id"],
            state=Health(row["state"]),
            runtime=row["service__runtime"],
            base_url=ServiceSpec.address(
                row["service__host"], row["service__port"], row["service__runtime"]
            ),
            health_path=row["service__health_path"],
            timeout=row["service__timeout"],
            slow_ms=row["service__slow_ms"],
            starts=plan_.starts,
            is_early=row["service_id"] in early,
            deep=services.get(row["service_id"]),
        )
        for row, plan_ in planned
    ]


def _is_deep(row: dict[str, Any]) -> bool:
    """Return whether smoke requests and invariants are asked too.

    Always while the service fails: else a failing smoke request would be forgotten at the next good health answer.
    """
    if row["deep_requested"] or row["state"] in FAILING:
        return True
    return bool(row["probes"] % max(1, row["service__deep_every"]) == 0)
