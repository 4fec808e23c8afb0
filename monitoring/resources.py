"""Samples the processes of local services at a slow beat, keeps a row a minute, and says when something leaks or floods.

Runs in the watcher, which looks at each process every second anyway: a sample costs nothing but its keeping.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import median

from django.conf import settings

from monitoring import outcomes
from monitoring.judging_resources import (
    LOG,
    RESOURCES,
    Limits,
    Sample,
    Trouble,
    find_trouble,
    goes_on,
)
from monitoring.models import ResourceMinute, ServiceHealth
from monitoring.outcomes import Observation, verdict_from_json
from monitoring.values import Health, ProcessState, Symptom, Verdict

MOST_SAMPLES = 90
USUAL_OF = timedelta(hours=24)
LEAST_USUAL = 10
SHOWN = timedelta(minutes=30)


@dataclass
class Followed:
    """One process of one service: its samples, and what was said of it."""

    service_id: int
    pid: int
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=MOST_SAMPLES))
    trouble: Trouble | None = None
    told: bool = False
    log_size: int = 0
    log_bytes: int = 0
    written: datetime | None = None
    usual_log: float | None = None


class Sampler:
    """Holds the recent samples of every followed process, bounded, in memory."""

    def __init__(self) -> None:
        self._followed: dict[int, Followed] = {}

    def take(self, *, service_id: int, state: ProcessState, now: datetime) -> Trouble | None:
        """Take a sample of a running process when it is due, write what it says, and return the trouble that stands."""
        if state.pid is None:
            return None
        one = self._followed.get(service_id)
        if one is None:
            one = self._followed[service_id] = _first(service_id, state)
        elif one.pid != state.pid:
            one = self._followed[service_id] = _next(one, state)
        elif (
            one.samples and now.timestamp() - one.samples[-1].at < settings.RESOURCE_SAMPLE_SECONDS
        ):
            return one.trouble
        one.samples.append(_sample(one, state, now))
        _write_minute(one, now)
        _judge(one, state, now)
        return one.trouble

    def forget(self, service_id: int) -> None:
        """Drop what is known of a service that is not watched any more."""
        self._followed.pop(service_id, None)


def by_the_minute(*, service_id: int, now: datetime) -> str:
    """Return the last minutes of a service's figures, one a line; empty when there are none."""
    rows = ResourceMinute.objects.filter(service_id=service_id, minute__gt=now - SHOWN)
    return "\n".join(
        f"{row.minute:%H:%M}  memory {(row.memory_bytes or 0) / 1e6:.1f} MB, {row.open_files} open files, "
        f"{row.threads} threads, {row.cpu_share:.0%} of a processor, {row.log_bytes / 1e6:.2f} MB of log a minute"
        for row in rows.order_by("minute")
    )


def _first(service_id: int, state: ProcessState) -> Followed:
    """Return a history that begins; trouble that was announced goes on if it is older than this watcher, not this process."""
    health = ServiceHealth.objects.filter(service_id=service_id).first()
    verdict = verdict_from_json(health.verdict) if health else None
    one = Followed(service_id, state.pid or 0, log_size=state.log_bytes or 0)
    if health is None or verdict is None or verdict.watch != RESOURCES:
        return one
    one.told = health.state != Health.HEALTHY
    if one.told and (state.started_at or 0.0) < health.since.timestamp():
        one.trouble = Trouble(kind=verdict.error_type, detail=verdict.detail, value=0.0)
    return one


def _next(before: Followed, state: ProcessState) -> Followed:
    """Return the history of the process that followed another: what that one piled up is gone."""
    return Followed(
        before.service_id, state.pid or 0, told=before.told, log_size=state.log_bytes or 0
    )


def _sample(one: Followed, state: ProcessState, now: datetime) -> Sample:
    if state.log_bytes is not None:
        grown = state.log_bytes - one.log_size
        one.log_bytes += grown if grown >= 0 else state.log_bytes  # below: it was rotated meanwhile
        one.log_size = state.log_bytes
    return Sample(
        at=now.timestamp(),
        memory=state.memory_bytes,
        files=state.open_files,
        threads=state.threads,
        cpu_seconds=state.cpu_seconds,
        log_bytes=one.log_bytes if state.log_bytes is not None else None,
    )


def _judge(one: Followed, state: ProcessState, now: datetime) -> None:
    limits = Limits(
        window=settings.RESOURCE_WINDOW_SECONDS,
        memory_limit=settings.RESOURCE_MEMORY_LIMIT_BYTES,
        file_limit=state.file_limit or 0,
        log_per_minute=settings.RESOURCE_LOG_BYTES_PER_MINUTE,
    )
    found = find_trouble(one.samples, limits)
    if found is not None and found.kind == LOG and one.trouble is None:
        limits = replace(limits, usual_log=_usual_log(one, now))
        found = find_trouble(one.samples, limits)
    if found is None and one.trouble is not None and goes_on(one.trouble, one.samples, limits):
        found = one.trouble
    one.trouble = found
    if found is None and not one.told:
        return
    one.told = found is not None
    _tell(one.service_id, found, now)


def _tell(service_id: int, trouble: Trouble | None, now: datetime) -> None:
    verdict = Verdict(health=Health.HEALTHY, watch=RESOURCES)
    if trouble is not None:
        verdict = Verdict(
            health=Health.DEGRADED,
            symptom=Symptom.RESOURCES,
            error_type=trouble.kind,
            detail=trouble.detail,
            watch=RESOURCES,
        )
    seen = Observation(
        service_id=service_id,
        verdict=verdict,
        began=now,
        source=RESOURCES,
        was_deep=True,
        certain=True,
    )
    outcomes.apply([seen], now=now)


def _write_minute(one: Followed, now: datetime) -> None:
    """Write the minute that is over as one row: its last figures, and its share of a processor and bytes of log."""
    minute = now.replace(second=0, microsecond=0)
    if one.written is None:
        one.written = minute
    if minute <= one.written:
        return
    over = [s for s in one.samples if s.at < minute.timestamp()]
    if len(over) > 1:
        ResourceMinute.objects.update_or_create(
            service_id=one.service_id,
            minute=datetime.fromtimestamp(over[-1].at, tz=UTC).replace(second=0, microsecond=0),
            defaults=_figures(over[-7:]),
        )
    one.written = minute


def _figures(samples: Sequence[Sample]) -> dict[str, int | float | None]:
    first, last = samples[0], samples[-1]
    seconds = max(last.at - first.at, 1.0)
    return {
        "memory_bytes": last.memory,
        "open_files": last.files,
        "threads": last.threads,
        "cpu_share": round(((last.cpu_seconds or 0) - (first.cpu_seconds or 0)) / seconds, 4),
        "log_bytes": int(60 * ((last.log_bytes or 0) - (first.log_bytes or 0)) / seconds),
    }


def _usual_log(one: Followed, now: datetime) -> float:
    """Return the usual bytes of log a minute of this service before this process; 0 when too little is known."""
    if one.usual_log is None:
        begun = datetime.fromtimestamp(one.samples[0].at, tz=UTC)
        rows = ResourceMinute.objects.filter(
            service_id=one.service_id, minute__gt=now - USUAL_OF, minute__lt=begun
        )
        rates = list(rows.values_list("log_bytes", flat=True))
        one.usual_log = median(rates) if len(rates) >= LEAST_USUAL else 0.0
    return one.usual_log
