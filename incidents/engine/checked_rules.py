"""Evaluates the invariants that a service declares: on the answers of a trial's copies, and by its check commands there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from incidents.engine.verdicts import Line
from monitoring.check_commands import CheckCommand, CheckRun
from monitoring.invariants import Invariant
from monitoring.values import Answer

NOT_ASKED = "not asked"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One declared rule on one request: what breaks it before, after, and in last known good ("" when it holds)."""

    name: str
    line: Line
    before: str
    after: str
    last_good: str | None

    @property
    def refuses(self) -> bool:
        """Say whether a fix may not go live because of it.

        A rule that is broken with the fix is only forgiven where it was broken before and last known good breaks it on
        the same data too: then the data are at fault, and neither the fix nor what it mends.
        """
        if not self.after:
            return False
        return self.line.failing or not self.before or not self.last_good

    def as_json(self) -> dict[str, Any]:
        """Return it as a receipt shows it."""
        request = self.line.exchange.request
        words = {"before": self.before, "after": self.after, "last_good": self.last_good}
        shown = {
            name: "not known" if text is None else text or "holds" for name, text in words.items()
        }
        verdict = "broken" if self.refuses else "broken by the data" if self.after else "holds"
        return {
            "name": self.name,
            "request": f"{request.method} {request.path}",
            "verdict": verdict,
            **shown,
        }


def checked(rules: Sequence[Invariant], lines: Sequence[Line]) -> list[Rule]:
    """Return every rule on each request that it speaks of."""
    return [
        _checked(rule, line)
        for rule in rules
        for line in lines
        if (line.exchange.request.method, line.exchange.request.path)
        == (rule.request.method, rule.request.path)
    ]


def _checked(rule: Invariant, line: Line) -> Rule:
    rights = line.answers.rights
    return Rule(
        name=rule.name,
        line=line,
        before=_broken(rule, line.answers.before),
        after=_broken(rule, line.answers.after),
        last_good=_broken(rule, rights[0]) if rights else None,
    )


def _broken(rule: Invariant, answer: Answer) -> str:
    """Return what breaks the rule; an answer that is none, or an error, breaks it as well."""
    if answer.failure:
        return f"{rule.name}: no answer ({answer.failure})"
    if (answer.status or 0) >= 400:
        return f"{rule.name}: status {answer.status}"
    return rule.broken_by_answer(answer)


@dataclass(frozen=True, kw_only=True)
class CommandRule:
    """One rule that a command checks, with its runs in the copies; None where there was no such copy."""

    command: CheckCommand
    before: str
    after: str
    last_good: str | None
    not_run: str

    @property
    def refuses(self) -> bool:
        """Say whether a fix may not go live because of it; data that break it for every version are forgiven, as above."""
        return bool(self.after) and not (self.before and self.last_good)

    def as_json(self) -> dict[str, Any]:
        """Return it as a receipt shows it."""
        words = {"before": self.before, "after": self.after, "last_good": self.last_good}
        shown = {
            name: "not known" if text is None else text or "holds" for name, text in words.items()
        }
        verdict = "broken" if self.refuses else "broken by the data" if self.after else "holds"
        if self.not_run:
            verdict, shown["after"] = "not run", self.not_run
        return {
            "name": self.command.name,
            "request": f"check: {' '.join(self.command.words)}",
            "verdict": verdict,
            **shown,
        }


def checked_by_command(
    commands: Sequence[CheckCommand],
    before: Sequence[CheckRun],
    after: Sequence[CheckRun],
    last_good: Sequence[CheckRun] | None,
) -> list[CommandRule]:
    """Return every check command with what it said in each copy."""
    return [
        CommandRule(
            command=command,
            before=before[number].broken(command.seconds),
            after=_said(command, after[number]),
            last_good=None if last_good is None else last_good[number].broken(command.seconds),
            not_run="" if after[number].ran else after[number].why or "it was not run",
        )
        for number, command in enumerate(commands)
    ]


def _said(command: CheckCommand, run: CheckRun) -> str:
    said = run.broken(command.seconds)
    return f"{command.name}: {said}" if said else ""
