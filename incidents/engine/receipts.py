"""Judges the replay of a trial and writes its receipt. Plain Python, so that anybody can check the same facts again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from incidents.engine import replay
from incidents.values import BoxUsage, Exchange, StartUp
from monitoring.judging import Question
from monitoring.judging import judge as judge_answer
from monitoring.values import Answer, Health, Symptom

SLOW_MS = 1500.0
SHOWN = 5
HEALTH = "health"
"""The source of an exchange with the health path: its body is understood, and its counters are not compared."""


class CopyRun(Protocol):
    """How one copy of the service behaved."""

    @property
    def startup(self) -> StartUp: ...
    @property
    def answers(self) -> tuple[Answer, ...]: ...
    @property
    def usage(self) -> BoxUsage: ...
    @property
    def isolation(self) -> str: ...


class ScriptOfRequests(Protocol):
    """The failing and the good requests, replayed in this order."""

    @property
    def failing(self) -> tuple[Exchange, ...]: ...
    @property
    def good(self) -> tuple[Exchange, ...]: ...


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What was seen. `passed` None means that no trial was possible; `reproduced` None that it cannot be said."""

    passed: bool | None
    applied: bool
    reproduced: bool | None
    reason: str
    isolation: str = ""
    body: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the receipt as it is stored, hashed and shown."""
        names = ("passed", "applied", "reproduced", "reason", "isolation")
        return {**{name: getattr(self, name) for name in names}, **self.body}


def impossible(reason: str) -> Receipt:
    """Return the receipt of a trial that could not be made."""
    return Receipt(passed=None, applied=False, reproduced=None, reason=reason)


def judge(
    *,
    script: ScriptOfRequests,
    fixed: CopyRun,
    without: CopyRun,
    references: Sequence[CopyRun],
) -> Receipt:
    """Return the receipt: passed when the copy with the fix started, every failing request passes and every good
    one is answered as last known good answers it (or, without a last known good, as before the fix)."""
    lines = [
        _line(position, exchange, fixed, without, references)
        for position, exchange in enumerate((*script.failing, *script.good))
    ]
    wrong = [line for line in lines if line["verdict"] not in {"ok", "not judged"}]
    proved = any(line["verdict"] == "ok" for line in lines if line["kind"] == "failing")
    passed = fixed.startup.answered and not wrong and proved
    return Receipt(
        passed=passed,
        applied=fixed.startup.answered,
        reproduced=_reproduced(script, without),
        reason="" if passed else _reason(fixed, wrong),
        isolation=fixed.isolation,
        body={
            "requests": lines,
            "start_up": asdict(fixed.startup),
            "start_up_without": asdict(without.startup),
            "start_up_last_good": asdict(references[0].startup) if references else None,
            "usage": asdict(fixed.usage),
            "data": fixed.usage.data_digest,
        },
    )


def _line(
    position: int,
    exchange: Exchange,
    fixed: CopyRun,
    without: CopyRun,
    references: Sequence[CopyRun],
) -> dict[str, Any]:
    """Return one request with its answers before, after and expected, and what the comparison says."""
    after, before = fixed.answers[position], without.answers[position]
    rights = [run.answers[position] for run in references]
    failing = not exchange.good
    verdict, differences = _compared(exchange, after, before, rights)
    return {
        "kind": "failing" if failing else "good",
        "method": exchange.request.method,
        "path": exchange.request.path,
        "source": exchange.source,
        "before": _shown(before),
        "after": _shown(after),
        "expected": _shown(rights[0]) if rights else None,
        "verdict": verdict,
        "differences": differences[:SHOWN],
    }


def _compared(
    exchange: Exchange, after: Answer, before: Answer, rights: Sequence[Answer]
) -> tuple[str, list[str]]:
    """Return "ok", "still fails", "differs" or "not judged", with the differences in words."""
    right = next((answer for answer in rights if _is_good(exchange, answer)), None)
    if right is None and exchange.good and _is_good(exchange, before):
        right = before
    if not _is_good(exchange, after):
        if exchange.good and right is None:
            return "not judged", ["it failed before the change and in last known good too"]
        return "still fails", [_failure_words(exchange, after)]
    if right is None or exchange.source == HEALTH:
        return "ok", []
    mask = replay.learn_mask(rights[0], rights[1]) if len(rights) > 1 else replay.NO_MASK
    found = replay.compare(right, after, mask)
    return ("differs", [str(item) for item in found]) if found else ("ok", [])


def _is_good(exchange: Exchange, answer: Answer) -> bool:
    """Say whether an answer is one that a healthy service gives; slowness counts, a client's own 4xx does not."""
    expected = exchange.expected.status if exchange.expected and exchange.good else None
    question = Question(
        request=exchange.request,
        slow_ms=SLOW_MS,
        health=exchange.source == HEALTH,
        expected_status=expected,
    )
    verdict = judge_answer(answer, question)
    return verdict.health is Health.HEALTHY


def _failure_words(exchange: Exchange, answer: Answer) -> str:
    question = Question(request=exchange.request, slow_ms=SLOW_MS, health=False)
    verdict = judge_answer(answer, question)
    what = verdict.error_type or verdict.symptom or Symptom.HTTP_ERROR
    return f"{what}: {verdict.detail}"[:300]


def _shown(answer: Answer) -> dict[str, Any]:
    return {
        "status": answer.status,
        "failure": answer.failure,
        "ms": round(answer.elapsed_ms, 1),
        "bytes": len(answer.body),
    }


def _reproduced(script: ScriptOfRequests, without: CopyRun) -> bool | None:
    """Say whether the copy without the fix failed, too: at its start, or at a request that failed before."""
    if not without.startup.answered:
        return True
    pairs = zip(script.failing, without.answers, strict=False)
    asked = [(exchange, answer) for exchange, answer in pairs if answer.failure != "not_asked"]
    return any(not _is_good(exchange, answer) for exchange, answer in asked) if asked else None


def _reason(fixed: CopyRun, wrong: list[dict[str, Any]]) -> str:
    if not fixed.startup.answered:
        return f"the copy with the fix did not start: {_last_line(fixed.startup.log_tail)}"
    if not wrong:
        return "no failing request could be judged"
    first = wrong[0]
    detail = first["differences"][0] if first["differences"] else ""
    return f"{first['method']} {first['path']} {first['verdict']}: {detail}"[:400]


def _last_line(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it wrote no log"
