"""One round of probing: the calls of every claimed service, and what their answers add up to."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitoring.claims import Due
from monitoring.judging import Question, judge
from monitoring.ports import Call, Prober
from monitoring.smoke import Smoke, smoke_reads
from monitoring.values import Answer, Health, HttpRequest, Verdict

MOST_IN_BATCH = 500
SMOKE_GAP = 0.05
"""Seconds between the requests of one deep probe, so that they do not slow down each other or the health answer."""


@dataclass
class Check:
    """One probe of one service: its health request, and for a deep probe the smoke requests."""

    due: Due
    began: datetime
    smokes: tuple[Smoke, ...] = ()
    health: Verdict | None = None
    answers: dict[int, Answer] = field(default_factory=dict)
    is_done: bool = False

    @property
    def is_deep(self) -> bool:
        """Return whether more than the health path was asked."""
        return self.due.deep is not None

    def take(self, part: int | None, answer: Answer) -> Verdict | None:
        """Add an answer (`part` None: of the health path) and return the verdict once it is clear."""
        if part is None:
            self.health = judge(answer, self._question())
        else:
            self.answers[part] = answer
        if self.is_done or self.health is None:
            return None
        is_failing = self.health.health is not Health.HEALTHY
        self.is_done = is_failing or len(self.answers) == len(self.smokes)
        if not self.is_done:
            return None
        return self.health if is_failing else self._deep_verdict() or self.health

    def _question(self) -> Question:
        return Question(
            request=HttpRequest(path=self.due.health_path), slow_ms=self.due.slow_ms, health=True
        )

    def _deep_verdict(self) -> Verdict | None:
        """Return the first failure among the smoke requests, in declared order, or a broken invariant."""
        for part, smoke in enumerate(self.smokes):
            verdict = judge(
                self.answers[part],
                Question(
                    request=smoke.request,
                    slow_ms=self.due.slow_ms,
                    health=False,
                    expected_status=smoke.expected_status,
                ),
            )
            if verdict.health is not Health.HEALTHY:
                return verdict
        return None


def checks_of(claimed: Sequence[Due], *, now: datetime) -> list[Check]:
    """Return a check for each start of each claimed service; only the first of a service in a round is deep."""
    return [
        Check(
            due=due,
            began=now + timedelta(seconds=start),
            smokes=smoke_reads(due.deep.smoke_requests) if due.deep and number == 0 else (),
        )
        for due in claimed
        for number, start in enumerate(due.starts)
    ]


def calls_of(checks: Sequence[Check], *, now: datetime, late: float) -> list[Call]:
    """Return every request of the round; `late` is what claiming took, in seconds."""
    return [call for check in checks for call in _calls(check, now, late)]


def _calls(check: Check, now: datetime, late: float) -> Iterator[Call]:
    start = max(0.0, (check.began - now).total_seconds() - late)
    requests: list[tuple[int | None, HttpRequest]] = [
        (None, HttpRequest(path=check.due.health_path))
    ]
    requests += [(part, smoke.request) for part, smoke in enumerate(check.smokes)]
    for position, (part, request) in enumerate(requests):
        yield Call(
            key=(check, part),
            base_url=check.due.base_url,
            request=request,
            timeout=check.due.timeout,
            start_in=start + position * SMOKE_GAP,
        )


class Asking:
    """Runs the prober in a thread of its own and hands over its answers.

    Writing to the database may wait for a lock. In the network's thread that wait would let healthy answers lie until
    their time limit had passed, and services would be called down for our own slowness.
    """

    def __init__(self, prober: Prober, calls: Sequence[Call]) -> None:
        self._prober = prober
        self._calls = calls
        self._answers: queue.SimpleQueue[tuple[Call, Answer] | None] = queue.SimpleQueue()

    def batches(self, *, longest: float) -> Iterator[list[tuple[Call, Answer]]]:
        """Yield what has come, all of it at once; an empty list whenever `longest` seconds passed without any.

        Raises what the prober raised, which by its contract is a defect and never a target's fault.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="probe-round") as pool:
            running = pool.submit(self._ask)
            batch: list[tuple[Call, Answer] | None] = []
            while not (batch and batch[-1] is None):
                batch = self._next(longest)
                yield [item for item in batch if item is not None]
            running.result()

    def _next(self, longest: float) -> list[tuple[Call, Answer] | None]:
        batch: list[tuple[Call, Answer] | None] = []
        with contextlib.suppress(queue.Empty):
            batch.append(self._answers.get(timeout=longest))
            while len(batch) < MOST_IN_BATCH:
                batch.append(self._answers.get_nowait())
        return batch

    def _ask(self) -> None:
        try:
            self._prober.ask(self._calls, lambda call, answer: self._answers.put((call, answer)))
        finally:
            self._answers.put(None)
