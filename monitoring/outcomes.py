"""Writes what probes and the watcher saw: the state of each service, and each change of it once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from monitoring import hints, realtime
from monitoring.check_commands import METHOD
from monitoring.models import HealthChange, ServiceHealth
from monitoring.standing import FAILING, Limits, Standing, changed, step
from monitoring.values import Health, Symptom, Verdict, storable

RECOVERY_GAP = timedelta(seconds=0.5)
_READ = (
    "service_id", "state", "since", "failures_in_row", "successes_in_row", "last_probe_at", "verdict",
    "service__slug", "service__name", "service__failures_before_incident", "service__successes_before_recovery",
    "service__health_path",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One verdict on one service. `began` is when the probe started; `certain` skips the count of failures.

    `was_deep` says that all reads that the service declares were asked, not its health path alone.
    """

    service_id: int
    verdict: Verdict
    began: datetime
    source: str = "probe"
    was_deep: bool = False
    certain: bool = False


@dataclass
class _Record:
    """A locked row with what this batch makes of it."""

    row: dict[str, Any]
    standing: Standing
    limits: Limits
    since: datetime
    last_probe_at: datetime | None
    probes: int = 0
    latency_ms: float | None = None
    deep_ok_at: datetime | None = None
    hurry: datetime | None = None
    changes: list[HealthChange] = field(default_factory=list)


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as it is kept in `ServiceHealth.verdict` and `HealthChange.verdict`."""
    facts = asdict(verdict)
    return {key: storable(v) if isinstance(v, str) else v for key, v in facts.items()}


def verdict_from_json(data: dict[str, Any]) -> Verdict | None:
    """Return the kept verdict, or None when none was kept yet."""
    if not data:
        return None
    known = data | {"health": Health(data["health"]), "symptom": Symptom(data["symptom"])}
    return Verdict(**known)


def apply(observations: Sequence[Observation], *, now: datetime) -> int:
    """Write a batch of observations in one transaction and return how many changes of state it wrote.

    The rows are locked and read again before each decision, so that a probe and the watcher that see the same exit
    write one change between them. The change and the new state commit together; the hint goes out after.
    """
    if not observations:
        return 0
    with transaction.atomic():
        records = _locked({one.service_id for one in observations})
        for one in observations:
            if one.service_id in records:
                _observe(records[one.service_id], one, now)
        _write(records.values())
        changes = [change for record in records.values() for change in record.changes]
        if changes:
            HealthChange.objects.bulk_create(changes)
            hints.health_changed()
            _push(records.values())
    return len(changes)


def _locked(ids: set[int]) -> dict[int, _Record]:
    rows = ServiceHealth.objects.select_for_update(no_key=True).filter(service_id__in=ids)
    return {row["service_id"]: _record(row) for row in rows.order_by("service_id").values(*_READ)}


def _record(row: dict[str, Any]) -> _Record:
    return _Record(
        row=row,
        standing=Standing(
            state=Health(row["state"]),
            failures=row["failures_in_row"],
            successes=row["successes_in_row"],
            verdict=verdict_from_json(row["verdict"]),
        ),
        limits=Limits(
            failures=row["service__failures_before_incident"],
            successes=row["service__successes_before_recovery"],
        ),
        since=row["since"],
        last_probe_at=row["last_probe_at"],
    )


def _observe(record: _Record, one: Observation, now: datetime) -> None:
    record.probes += one.source == "probe"
    if record.last_probe_at is not None and one.began < record.last_probe_at:
        return  # a hung probe that began before a newer answer proves nothing about now
    if _did_not_look(record, one):
        return
    # What watches over a time says at once that it is over: it need not say so twice.
    limits = replace(record.limits, successes=1) if one.verdict.watch else record.limits
    before, after = record.standing, step(record.standing, one.verdict, limits, certain=one.certain)
    record.standing, record.last_probe_at = after, one.began
    record.latency_ms = one.verdict.latency_ms
    if one.was_deep and one.verdict.health is Health.HEALTHY:
        record.deep_ok_at = one.began
    if one.verdict.health is Health.UNKNOWN or (after.state in FAILING and after.successes):
        record.hurry = now + RECOVERY_GAP
    if changed(before, after):
        record.since = now
        record.changes.append(_change(one, before, after, now))


def _did_not_look(record: _Record, one: Observation) -> bool:
    """Say whether a good answer leaves open what was found: it did not ask that again.

    A good health answer says nothing of what a deep probe found, and a good probe nothing of what real requests met.
    """
    failed = record.standing.verdict
    if one.verdict.health is not Health.HEALTHY or failed is None:
        return False
    if record.standing.state not in FAILING:
        return False
    if failed.watch or one.verdict.watch:
        return failed.watch != one.verdict.watch
    if one.was_deep:
        return False
    shallow = {"", record.row["service__health_path"]}
    return failed.method == METHOD or failed.path not in shallow


def _change(one: Observation, before: Standing, after: Standing, now: datetime) -> HealthChange:
    return HealthChange(
        service_id=one.service_id,
        before=before.state,
        after=after.state,
        symptom=one.verdict.symptom,
        verdict=verdict_to_json(one.verdict),
        source=one.source,
        at=now,
    )


_UPDATE = """
UPDATE {table} SET state = %s, since = %s, failures_in_row = %s, successes_in_row = %s, last_probe_at = %s,
 latency_ms = COALESCE(%s, latency_ms), verdict = %s, last_deep_ok_at = COALESCE(%s, last_deep_ok_at),
 probes = probes + %s, next_due_at = CASE WHEN next_due_at > %s THEN %s ELSE next_due_at END
WHERE service_id = %s"""


def _write(records: Iterable[_Record]) -> None:
    table = ServiceHealth._meta.db_table
    with connection.cursor() as cursor:
        cursor.executemany(_UPDATE.format(table=table), [_values(record) for record in records])


def _values(record: _Record) -> tuple[Any, ...]:
    when = connection.ops.adapt_datetimefield_value
    verdict = verdict_to_json(record.standing.verdict) if record.standing.verdict else {}
    hurry = when(record.hurry) if record.hurry else None
    return (
        record.standing.state.value,
        when(record.since),
        record.standing.failures,
        record.standing.successes,
        when(record.last_probe_at) if record.last_probe_at else None,
        record.latency_ms,
        connection.ops.adapt_json_value(verdict, None),
        when(record.deep_ok_at) if record.deep_ok_at else None,
        record.probes,
        hurry,
        hurry,
        record.row["service_id"],
    )


def _push(records: Iterable[_Record]) -> None:
    for record in records:
        if record.changes:
            realtime.publish(
                "health",
                {
                    "service_id": record.row["service_id"],
                    "slug": record.row["service__slug"],
                    "name": record.row["service__name"],
                    "health": record.standing.state.value,
                    "latency_ms": record.latency_ms,
                    "at": record.since.isoformat(),
                },
            )
