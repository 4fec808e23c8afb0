"""One round of probing: the calls of every claimed service, and what their answers add up to."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from monitoring import providers
from monitoring.check_commands import CheckCommand, CheckRun
from monitoring.claims import Due
from monitoring.declared import NOTHING, Declared, declared
from monitoring.judging import Question, broken_check, broken_invariant, judge
from monitoring.ports import Call, Prober, TargetError
from monitoring.values import Answer, Health, HttpRequest, Verdict

MOST_IN_BATCH = 500
COMMANDS_AT_ONCE = 4
SMOKE_GAP = 0.05
"""Seconds between the requests of one deep probe, so that they do not slow down each other or the health answer."""


@dataclass
class Check:
    """One probe of one service: its health request, and for a deep probe the declared reads and invariants."""

    due: Due
    began: datetime
    declared: Declared = NOTHING
    health: Verdict | None = None
    answers: dict[int, Answer] = field(default_factory=dict)
    runs: dict[CheckCommand, CheckRun] = field(default_factory=dict)
    is_done: bool = False

    @property
    def is_deep(self) -> bool:
        """Return whether more than the health path was asked."""
        return self.declared is not NOTHING

    @property
    def has_all_reads(self) -> bool:
        """Return whether there are declared reads and the last of them was answered."""
        return bool(self.declared.reads) and len(self.answers) == len(self.declared.reads)

    def take(self, part: int | None, answer: Answer) -> Verdict | None:
        """Add an answer (`part` None: of the health path) and return the verdict once it is clear."""
        if part is None:
            request = HttpRequest(path=self.due.health_path)
            self.health = judge(answer, Question(request=request, slow_ms=self.due.slow_ms))
        else:
            self.answers[part] = answer
        return self._clear()

    def take_run(self, command: CheckCommand, run: CheckRun) -> Verdict | None:
        """Add how a check command went and return the verdict once it is clear."""
        self.runs[command] = run
        return self._clear()

    def _clear(self) -> Verdict | None:
        """Return the verdict as soon as nothing that is still to come could change it, and only once."""
        if self.is_done or self.health is None:
            return None
        verdict = self.health
        if verdict.health is Health.HEALTHY:
            if len(self.answers) < len(self.declared.reads):
                return None
            failure = self._failure()
            if failure is None and len(self.runs) < len(self.declared.commands):
                return None
            verdict = failure or self._failed_check() or verdict
        self.is_done = True
        return verdict

    def _failed_check(self) -> Verdict | None:
        """Return the verdict of the first check command that found its rule broken, else None."""
        for command in self.declared.commands:
            run = self.runs[command]
            if detail := run.broken(command.seconds):
                return broken_check(name=command.name, detail=detail, seconds=run.seconds)
        return None

    def judged(self) -> Iterator[tuple[HttpRequest, Answer, Verdict]]:
        """Yield each declared request that was answered, with its answer and what that says, in declared order."""
        for part, answer in sorted(self.answers.items()):
            smoke = self.declared.reads[part]
            question = Question(
                request=smoke.request,
                slow_ms=self.due.slow_ms,
                health=False,
                expected_status=smoke.expected_status,
            )
            yield smoke.request, answer, judge(answer, question)

    def _failure(self) -> Verdict | None:
        """Return the first failing read, else the first broken invariant, else None."""
        verdicts = (verdict for _, _, verdict in self.judged())
        failing = (verdict for verdict in verdicts if verdict.health is not Health.HEALTHY)
        return next(failing, None) or self._broken_invariant()

    def _broken_invariant(self) -> Verdict | None:
        seen = {(one.method, one.path): answer for one, answer, _ in self.judged()}
        for rule in self.declared.invariants:
            answer = seen[rule.request.method, rule.request.path]
            detail = rule.broken_by_answer(answer)
            if detail:
                return broken_invariant(
                    request=rule.request, name=rule.name, detail=detail, answer=answer
                )
        return None


def checks_of(claimed: Sequence[Due], *, now: datetime) -> list[Check]:
    """Return a check for each start of each claimed service; only the first of a service in a round is deep."""
    return [
        Check(
            due=due,
            began=now + timedelta(seconds=start),
            declared=declared(due.deep) if due.deep and number == 0 else NOTHING,
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
    requests += [(part, smoke.request) for part, smoke in enumerate(check.declared.reads)]
    for position, (part, request) in enumerate(requests):
        yield Call(
            key=(check, part),
            base_url=check.due.base_url,
            request=request,
            timeout=check.due.timeout,
            start_in=start + position * SMOKE_GAP,
        )


def commands_of(checks: Sequence[Check]) -> list[CheckJob]:
    """Return every check command of the round's deep probes."""
    return [CheckJob(check, command) for check in checks for command in check.declared.commands]


@dataclass(frozen=True)
class CheckJob:
    """A check command that a deep probe is to run, and for whom."""

    check: Check
    command: CheckCommand

    def run(self) -> CheckRun:
        """Run it beside its service; a runtime that cannot has learned nothing."""
        assert self.check.due.deep is not None  # noqa: S101 - only deep probes declare anything
        spec = self.check.due.deep.spec()
        try:
            return providers.reader(spec).check(spec, self.command)
        except TargetError as error:
            return CheckRun(ran=False, why=str(error))


class Heard(NamedTuple):
    """What was asked, what came back, and when that was (monotonic seconds)."""

    asked: Call | CheckJob
    said: Answer | CheckRun
    at: float


class Asking:
    """Runs the prober and the check commands in threads of their own and hands over what they say.

    Writing to the database may wait for a lock. In the network's thread that wait would let healthy answers lie until
    their time limit had passed, and services would be called down for our own slowness.
    """

    def __init__(
        self, prober: Prober, calls: Sequence[Call], jobs: Sequence[CheckJob] = ()
    ) -> None:
        self._prober = prober
        self._calls = calls
        self._jobs = jobs
        self._answers: queue.SimpleQueue[Heard | None] = queue.SimpleQueue()

    def batches(self, *, longest: float) -> Iterator[list[Heard]]:
        """Yield what has come, all of it at once; an empty list whenever `longest` seconds passed without any.

        Raises what the prober raised, which by its contract is a defect and never a target's fault.
        """
        with ThreadPoolExecutor(1, thread_name_prefix="probe-round") as pool:
            running = pool.submit(self._ask)
            batch: list[Heard | None] = []
            while not (batch and batch[-1] is None):
                batch = self._next(longest)
                yield [item for item in batch if item is not None]
            running.result()

    def _next(self, longest: float) -> list[Heard | None]:
        batch: list[Heard | None] = []
        with contextlib.suppress(queue.Empty):
            batch.append(self._answers.get(timeout=longest))
            while len(batch) < MOST_IN_BATCH:
                batch.append(self._answers.get_nowait())
        return batch

    def _ask(self) -> None:
        with ThreadPoolExecutor(COMMANDS_AT_ONCE, thread_name_prefix="check") as pool:
            try:
                for job in self._jobs:
                    pool.submit(self._run, job)
                self._prober.ask(self._calls, self._hear)
            finally:
                pool.shutdown(wait=True)
                self._answers.put(None)

    def _run(self, job: CheckJob) -> None:
        run = CheckRun(ran=False, why="it could not be run")
        try:
            run = job.run()
        finally:  # a check that is never answered for would leave its probe open
            self._hear(job, run)

    def _hear(self, asked: Call | CheckJob, said: Answer | CheckRun) -> None:
        self._answers.put(Heard(asked, said, time.monotonic()))
