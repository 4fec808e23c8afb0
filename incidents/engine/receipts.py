"""Judges the replay of a trial and writes its receipt. Plain Python, so that anybody can check the same facts again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Protocol

from incidents.engine import traits
from incidents.engine.checked_rules import CommandRule, Rule, checked, checked_by_command
from incidents.engine.growth import STILL_GROWS, Growth, compared
from incidents.engine.receipt_check import check
from incidents.engine.verdicts import DIFFERS, HEALTH, OK, Answers, Line, fails, line_of
from incidents.values import BoxUsage, Exchange, StartUp
from monitoring.check_commands import CheckCommand, CheckRun
from monitoring.invariants import Invariant
from monitoring.values import Answer

__all__ = ["HEALTH", "CopyRun", "Receipt", "ScriptOfRequests", "check", "impossible", "judge"]

NOT_REPLAYED = {"not_asked", "not_started"}


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
    @property
    def checks(self) -> tuple[CheckRun, ...]: ...


class ScriptOfRequests(Protocol):
    """The failing and the good requests in replay order, and what their answers have to keep."""

    @property
    def exchanges(self) -> tuple[Exchange, ...]: ...
    @property
    def invariants(self) -> tuple[Invariant, ...]: ...
    @property
    def commands(self) -> tuple[CheckCommand, ...]: ...
    @property
    def slow_ms(self) -> float: ...
    @property
    def setup(self) -> traits.Setup: ...
    @property
    def grows(self) -> str: ...


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

    @property
    def differs(self) -> bool:
        """Return whether a request is answered otherwise than by last known good: a second copy of it could tell noise."""
        return any(line["verdict"] == "differs" for line in self.body.get("requests", []))


def impossible(reason: str) -> Receipt:
    """Return the receipt of a trial that could not be made."""
    found = traits.of_refusal(reason)
    body = {"traits": [asdict(one) for one in found], "lowers": [one.words for one in found]}
    return Receipt(passed=None, applied=False, reproduced=None, reason=reason, body=body)


def judge(
    *,
    script: ScriptOfRequests,
    fixed: CopyRun,
    without: CopyRun,
    references: Sequence[CopyRun],
) -> Receipt:
    """Return the receipt: passed when the copy with the fix started, every failing request passes, every good one is
    answered as last known good answers it or as before the fix, and no declared invariant is broken that could hold."""
    lines = [
        line_of(exchange, _answers(n, fixed, without, references), script.slow_ms)
        for n, exchange in enumerate(script.exchanges)
    ]
    commands = checked_by_command(
        script.commands,
        without.checks,
        fixed.checks,
        references[0].checks if references else None,
    )
    rules: list[Rule | CommandRule] = [*checked(script.invariants, lines), *commands]
    found = traits.of_copies(script.setup, fixed, references, lines) + _not_run(commands)
    right = references[0].usage if references else None
    growth = compared(script.grows, without.usage, fixed.usage, right)
    reason = _reason(fixed, lines, rules) or _still_grows(growth)
    no_trial = "" if fixed.startup.answered else traits.no_copy_starts(found, references)
    return Receipt(
        passed=None if no_trial else not reason,
        applied=fixed.startup.answered,
        reproduced=any(map(_was_broken, commands))
        or (growth.reproduced if growth else _reproduced(script, lines, without)),
        reason=no_trial or reason,
        isolation=fixed.isolation,
        body={
            "requests": [line.as_json() for line in lines],
            "invariants": [rule.as_json() for rule in rules],
            "growth": growth.as_json() if growth else None,
            "latency": _latency(lines),
            "start_up": asdict(fixed.startup),
            "start_up_without": asdict(without.startup),
            "start_up_last_good": asdict(references[0].startup) if references else None,
            "usage": asdict(fixed.usage),
            "data": fixed.usage.data_digest,
            "traits": [asdict(one) for one in found],
            "lowers": [one.words for one in found if one.lowers],
        },
    )


def _was_broken(rule: CommandRule) -> bool:
    """Say whether a check failed in the copy without the fix, and not in last known good."""
    return bool(rule.before) and not rule.last_good


def _not_run(commands: Sequence[CommandRule]) -> list[traits.Trait]:
    """Return that a check command proved nothing: then a person has to look, since nobody else did."""
    return [
        traits.Trait(
            name="check_not_run",
            words=f"the check {rule.command.name!r} could not be run: {rule.not_run}",
        )
        for rule in commands
        if rule.not_run
    ]


def _answers(
    position: int, fixed: CopyRun, without: CopyRun, references: Sequence[CopyRun]
) -> Answers:
    return Answers(
        before=without.answers[position],
        after=fixed.answers[position],
        rights=[run.answers[position] for run in references],
    )


def _reproduced(script: ScriptOfRequests, lines: Sequence[Line], without: CopyRun) -> bool | None:
    """Say whether the copy without the fix failed, too: at its start, at a request that failed before, or at a rule."""
    if not without.startup.answered:
        return True
    asked = [ln for ln in lines if ln.failing and ln.answers.before.failure not in NOT_REPLAYED]
    if not asked:
        return None
    failed = any(fails(line, line.answers.before, script.slow_ms) for line in asked)
    return failed or _broke_a_rule(script, asked) or any(_was_wrong(line) for line in asked)


def _broke_a_rule(script: ScriptOfRequests, asked: Sequence[Line]) -> bool:
    rules = checked(script.invariants, asked)
    return any(rule.before for rule in rules)


def _was_wrong(line: Line) -> bool:
    """Say whether a request that counts as failed was answered without an error, but otherwise than by last known good."""
    if not line.answers.rights or line.exchange.source == HEALTH:
        return False
    before, rights = line.answers.before, line.answers.rights
    as_it_was = Answers(before=before, after=before, rights=rights)
    return line_of(line.exchange, as_it_was, float("inf")).verdict == DIFFERS


def _latency(lines: Sequence[Line]) -> dict[str, Any]:
    """Return the middle latency of what all three kinds of copies answered, in milliseconds, and the slowest request."""
    timed = [line for line in lines if not line.answers.after.failure]
    after = [line.answers.after.elapsed_ms for line in timed]
    baseline = [ln.answers.rights[0].elapsed_ms for ln in timed if ln.answers.rights]
    slowest = max(timed, key=lambda line: line.answers.after.elapsed_ms, default=None)
    return {
        "after_ms": round(median(after), 1) if after else None,
        "baseline_ms": round(median(baseline), 1) if baseline else None,
        "slowest_ms": round(slowest.answers.after.elapsed_ms, 1) if slowest else None,
        "slowest": f"{slowest.exchange.request.method} {slowest.exchange.request.path}"
        if slowest
        else "",
    }


def _still_grows(growth: Growth | None) -> str:
    return growth.words() if growth and growth.verdict == STILL_GROWS else ""


def _reason(fixed: CopyRun, lines: Sequence[Line], rules: Sequence[Rule | CommandRule]) -> str:
    """Return what speaks against the fix first, "" when it is proved."""
    if not fixed.startup.answered:
        return f"the copy with the fix did not start: {traits.last_line(fixed.startup.log_tail)}"
    if wrong := next((line for line in lines if line.wrong), None):
        request = wrong.exchange.request
        detail = wrong.differences[0] if wrong.differences else ""
        return f"{request.method} {request.path} {wrong.verdict}: {detail}"[:400]
    if broken := next((rule for rule in rules if rule.refuses), None):
        return f"a rule of the service is broken: {broken.after}"[:400]
    if not any(line.failing and line.verdict == OK for line in lines):
        return "no failing request could be judged"
    return ""
