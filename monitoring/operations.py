"""Probing as a whole: one call a tick asks every due service and writes what it found."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from monitoring import outcomes, providers, recorder, rollups, snapshots, traffic
from monitoring.check_commands import CheckRun
from monitoring.claims import Due, claim_due, request_probe
from monitoring.judging import judge_exit, judge_process
from monitoring.models import Service
from monitoring.outcomes import Observation
from monitoring.ports import Prober, TargetError
from monitoring.quality import UNREACHED
from monitoring.rounds import Asking, Check, CheckJob, Heard, calls_of, checks_of, commands_of
from monitoring.values import Answer, Health, ProcessState, Symptom, Verdict

__all__ = ["probe_due", "record_exit", "record_verdict", "request_probe"]

log = logging.getLogger(__name__)

BATCH_SECONDS = 0.25
"""How long steady, healthy results may wait for company; a change of state never waits."""


def probe_due(*, now: datetime, window: float = 1.0, prober: Prober | None = None) -> int:
    """Ask every service that is due before `now + window` seconds, each at its own time; return how many probes.

    Services are claimed under a lock, so any number of workers may call this at once. A hung service holds up neither
    the others nor the next tick (its own call returns when the last transfer ends). Raises nothing for a target's fault.
    """
    began = time.monotonic()
    claimed = claim_due(now=now, window=window)
    if not claimed:
        return 0
    early = [due.service_id for due in claimed if due.is_early]
    snapshots.keep_last_known_good(now=now, service_ids=early)
    checks = checks_of(claimed, now=now)
    calls = calls_of(checks, now=now, late=time.monotonic() - began)
    writer = _Writer(now - timedelta(seconds=began))
    asking = Asking(prober or providers.prober(), calls, commands_of(checks))
    for batch in asking.batches(longest=BATCH_SECONDS):
        for heard in batch:
            writer.take(heard)
        writer.flush_when_due()
    writer.flush()
    rollups.flush_when_due()
    snapshots.keep_last_known_good(now=writer.clock(), service_ids=early)
    return len(checks)


def record_exit(*, service_id: int, process: ProcessState, now: datetime) -> int:
    """Write that a service's process ended unplanned; return how many changes that made (0: it was known already)."""
    seen = Observation(
        service_id=service_id,
        verdict=_with_health_path(service_id, judge_exit(process)),
        began=now,
        source="watcher",
        certain=True,
    )
    return outcomes.apply([seen], now=now)


def record_verdict(*, service_id: int, verdict: Verdict, now: datetime, source: str) -> int:
    """Write a verdict that somebody else obtained (the verification of a deploy); return the changes that made."""
    seen = Observation(
        service_id=service_id, verdict=verdict, began=now, source=source, was_deep=True
    )
    return outcomes.apply([seen], now=now)


def _with_health_path(service_id: int, verdict: Verdict) -> Verdict:
    """Give an exit the path that a refused probe would carry, so that both are one cause."""
    path = Service.objects.filter(pk=service_id).values_list("health_path", flat=True).first()
    return Verdict(**(verdict.__dict__ | {"path": path or ""}))


class _Writer:
    """Turns answers into observations and writes them: a change at once, the steady rest together."""

    def __init__(self, zero: datetime) -> None:
        """Start; `zero` is when the monotonic clock stood at 0."""
        self._zero = zero
        self._pending: list[Observation] = []
        self._urgent = False
        self._oldest = 0.0

    def clock(self) -> datetime:
        """Return the present moment."""
        return self._zero + timedelta(seconds=time.monotonic())

    def take(self, heard: Heard) -> None:
        asked, said, moment = heard
        at = self._zero + timedelta(seconds=moment)
        if isinstance(asked, CheckJob):
            check, verdict = (
                asked.check,
                asked.check.take_run(asked.command, cast("CheckRun", said)),
            )
        else:
            check, part = cast("tuple[Check, int | None]", asked.key)
            verdict = check.take(part, cast("Answer", said))
        if verdict is not None:
            self._add(check, verdict, at)
        if check.due.deep is not None and check.has_all_reads:
            exchanges = [(request, answer) for request, answer, _ in check.judged()]
            if not self._was_stopped(check.due, [answer for _, answer in exchanges], at):
                recorder.record_smokes(check.due.deep, exchanges, now=self.clock())

    def flush_when_due(self) -> None:
        waited = time.monotonic() - self._oldest
        if self._pending and (self._urgent or waited >= BATCH_SECONDS):
            self.flush()

    def flush(self) -> None:
        pending, self._pending, self._urgent = self._pending, [], False
        outcomes.apply(traffic.with_traffic(pending, now=self.clock()), now=self.clock())
        rollups.count(
            (one.service_id, one.began, one.verdict) for one in pending if one.source == "probe"
        )

    def _was_stopped(self, due: Due, answers: Sequence[Answer], at: datetime) -> bool:
        """Return whether answers are missing for a planned stop: that is no failure of these requests."""
        cut = next((answer for answer in answers if answer.failure in UNREACHED), None)
        if cut is None:
            return False
        seen = Verdict(
            health=Health.DOWN,
            symptom=Symptom.REFUSED,
            error_type=cut.failure,
            latency_ms=cut.elapsed_ms,
        )
        return _explained(due, seen, at).health is Health.UNKNOWN

    def _add(self, check: Check, verdict: Verdict, at: datetime) -> None:
        if verdict.symptom is Symptom.REFUSED and verdict.error_type in UNREACHED:
            verdict = _explained(check.due, verdict, at)
        if not self._pending:
            self._oldest = time.monotonic()
        self._urgent |= verdict.health is not check.due.state
        self._pending.append(
            Observation(
                service_id=check.due.service_id,
                verdict=verdict,
                began=check.began,
                was_deep=check.is_deep,
            )
        )


def _explained(due: Due, verdict: Verdict, at: datetime) -> Verdict:
    """Ask the runtime why nobody answered at that moment: a planned stop is no failure, and an exit has a code or a signal.

    The moment is that of the answer: where many services restart at once it is judged seconds later, and a process that is
    young by then would be taken for the one that closed the connection.
    A local keeper's word is free. A remote one costs two short calls with a limit of 3 s each, which can delay what is
    written of others in the same batch, but not their measurement.
    """
    service = due.deep or Service.objects.get(pk=due.service_id)
    spec = service.spec()
    try:
        process = providers.reader(spec).process(spec)
    except TargetError as error:
        log.warning("No word on the process of %s: %s", spec.slug, error)
        return verdict
    return judge_process(verdict, process, now=at.timestamp())
