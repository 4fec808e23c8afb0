"""Evaluates the invariants that a service declares on the answers of a trial's copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from incidents.engine.verdicts import Line
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
