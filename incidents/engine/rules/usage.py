"""Causes of leaks and floods: every answer is right, only the figures of the process tell."""

from __future__ import annotations

from incidents.engine.causes import Cause
from incidents.engine.facts import Facts
from incidents.engine.suspects import line_in, ranked, suspicion
from incidents.values import Category
from monitoring.values import Symptom


def leak_or_flood(facts: Facts) -> Cause | None:
    """Return what leaks or floods, with the changed line that may keep it: a suspicion, until a trial shows it."""
    if facts.symptom != Symptom.RESOURCES:
        return None
    figures = facts.pack.failure.detail.rstrip(".")
    first = next(iter(ranked(facts)), None)
    points = suspicion(first, facts) if first is not None else 0
    if first is None or points <= 0:
        return _unknown_keeper(facts, figures)
    line = line_in(first, facts)
    code = facts.source(first.path, line)
    return Cause(
        category=Category.RESOURCE,
        text=f"{figures}. Suspected is line {line} of {first.path}, which changed since last known good: {code[:120]}",
        certainty=0.7 if points >= 50 else 0.4,
        cites=("answer", "process", "changes"),
        file=first.path,
        line=line,
    )


def _unknown_keeper(facts: Facts, figures: str) -> Cause:
    same = " Nothing changed since last known good." if facts.nothing_changed else ""
    return Cause(
        category=Category.RESOURCE,
        text=f"{figures}.{same} What keeps it could not be seen; a new process begins anew, and will most likely come to the "
        "same point again.",
        certainty=0.5,
        cites=("answer", "process"),
    )
