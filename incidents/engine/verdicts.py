"""Compares one replayed request: without the fix, with it, and as last known good answers it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from incidents.engine import replay
from incidents.values import Exchange
from monitoring.judging import Question
from monitoring.judging import judge as judge_answer
from monitoring.values import Answer, Health, Symptom

HEALTH = "health"
"""The source of an exchange with the health path: its body is understood, and its counters are not compared."""
OK, DIFFERS, STILL_FAILS, NOT_JUDGED = "ok", "differs", "still fails", "not judged"
SHOWN = 5
BASELINE_FACTOR = 3.0
"""A copy is slow when it takes longer than the service's limit and than so many times what last known good took."""
AS_BEFORE = "unchanged by the fix; last known good answers otherwise"


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the copies answered to one request. `rights` are of last known good: none, one, or two to tell noise by."""

    before: Answer
    after: Answer
    rights: Sequence[Answer]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One request of a receipt, compared."""

    exchange: Exchange
    answers: Answers
    verdict: str
    differences: Sequence[str] = ()
    mask: replay.Mask = replay.NO_MASK
    note: str = ""

    @property
    def failing(self) -> bool:
        """Return whether it is one that failed before."""
        return not self.exchange.good

    @property
    def wrong(self) -> bool:
        """Return whether it speaks against the fix."""
        return self.verdict not in {OK, NOT_JUDGED}

    def as_json(self) -> dict[str, Any]:
        """Return it as a receipt shows it."""
        rights = self.answers.rights
        return {
            "kind": "failing" if self.failing else "good",
            "method": self.exchange.request.method,
            "path": self.exchange.request.path,
            "source": self.exchange.source,
            "before": shown(self.answers.before),
            "after": shown(self.answers.after),
            "expected": shown(rights[0]) if rights else None,
            "verdict": self.verdict,
            "differences": list(self.differences)[:SHOWN],
            "masked": self.mask.words(),
            "note": self.note,
        }


def line_of(exchange: Exchange, answers: Answers, slow_ms: float) -> Line:
    """Return the comparison of one request.

    A failing request has to pass, and to answer as last known good does where that is known: a 500 that becomes a wrong
    200 is no repair. A good one has to answer as last known good does, or exactly as it did before the fix.
    """
    judge = _Judge(exchange, answers, slow_ms)
    verdict, differences, note = judge.compare()
    return Line(
        exchange=exchange,
        answers=answers,
        verdict=verdict,
        differences=differences,
        mask=judge.mask,
        note=note,
    )


class _Judge:
    def __init__(self, exchange: Exchange, answers: Answers, slow_ms: float) -> None:
        self.exchange, self.answers, self.slow_ms = exchange, answers, slow_ms
        rights = answers.rights
        self.mask = replay.learn_mask(rights[0], rights[1]) if len(rights) > 1 else replay.NO_MASK

    def compare(self) -> tuple[str, list[str], str]:
        exchange, after = self.exchange, self.answers.after
        right = next((one for one in self.answers.rights if self.is_good(one)), None)
        before_was_good = exchange.good and self.is_good(self.answers.before)
        if not self.is_good(after):
            if exchange.good and right is None and not before_was_good:
                return NOT_JUDGED, [], "it failed before the change and in last known good too"
            return STILL_FAILS, [self._words(after)], ""
        if exchange.source == HEALTH or (right is None and not before_was_good):
            return OK, [], ""
        found = None if right is None else replay.compare(right, after, self.mask)
        if not found and found is not None:
            return OK, [], ""
        if before_was_good and replay.same(self.answers.before, after, self.mask):
            return OK, [], AS_BEFORE if found else ""
        found = found or replay.compare(self.answers.before, after, self.mask)
        return DIFFERS, [str(item) for item in found], ""

    def is_good(self, answer: Answer) -> bool:
        """Say whether an answer is one that a healthy service gives; slowness counts, a client's own 4xx does not."""
        return judge_answer(answer, self._question()).health is Health.HEALTHY

    def _question(self) -> Question:
        exchange = self.exchange
        expected = exchange.expected.status if exchange.expected and exchange.good else None
        baseline = min((a.elapsed_ms for a in self.answers.rights if not a.failure), default=0.0)
        return Question(
            request=exchange.request,
            slow_ms=max(self.slow_ms, BASELINE_FACTOR * baseline),
            health=exchange.source == HEALTH,
            expected_status=expected,
        )

    def _words(self, answer: Answer) -> str:
        verdict = judge_answer(answer, self._question())
        what = verdict.error_type or verdict.symptom or Symptom.HTTP_ERROR
        return f"{what}: {verdict.detail}"[:300]


def fails(line: Line, answer: Answer, slow_ms: float) -> bool:
    """Say whether another answer to the same request is a failure."""
    return not _Judge(line.exchange, line.answers, slow_ms).is_good(answer)


def shown(answer: Answer) -> dict[str, Any]:
    """Return an answer as a receipt holds it: never its body, which may be anybody's data, but its digest."""
    return {
        "status": answer.status,
        "failure": answer.failure,
        "ms": round(answer.elapsed_ms, 1),
        "bytes": len(answer.body),
        "sha256": hashlib.sha256(answer.body).hexdigest()[:16] if answer.body else "",
    }
