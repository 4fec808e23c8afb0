"""Causes behind an answer that came, but is wrong: suspects among the changes, named as suspects."""

from __future__ import annotations

from incidents.engine.causes import Cause
from incidents.engine.facts import Facts
from incidents.engine.suspects import line_in, ranked, suspicion
from incidents.values import Category
from monitoring.values import Symptom


def wrong_answer(facts: Facts) -> Cause | None:
    """Return that the service answers wrongly although it says that all is well."""
    if facts.symptom not in {Symptom.WRONG_ANSWER, Symptom.WRONG_BODY}:
        return None
    detail = facts.pack.failure.detail or "the answer is not what it was when the service was well"
    return _suspected(facts, Category.WRONG_ANSWER, f"The service answers wrongly: {detail}")


def subsystem(facts: Facts) -> Cause | None:
    """Return the part that the service itself reports as failing."""
    if facts.symptom not in {Symptom.SUBSYSTEM, Symptom.SUBSYSTEM_DOWN}:
        return None
    detail = facts.pack.failure.detail or facts.pack.failure.error_type or "a part of it fails"
    return _suspected(
        facts, Category.DEPENDENCY, f"The service reports trouble in one of its parts: {detail}"
    )


def bad_config(facts: Facts) -> Cause | None:
    """Return that the service rejects its configuration, though every config file can be parsed."""
    if facts.symptom != Symptom.BAD_CONFIG:
        return None
    detail = facts.pack.failure.detail or facts.pack.failure.error_type
    return _suspected(facts, Category.CONFIG, f"The service rejects its configuration: {detail}")


def error_status(facts: Facts) -> Cause | None:
    """Return the change that would explain an error answer which says nothing of its cause."""
    if facts.symptom != Symptom.HTTP_ERROR or not facts.hunks:
        return None
    failure = facts.pack.failure
    said = f" ({failure.detail})" if failure.detail else ""
    return _suspected(
        facts,
        Category.CODE,
        f"{failure.method} {failure.path} is answered with {failure.status}{said}",
    )


def _suspected(facts: Facts, category: Category, text: str) -> Cause:
    text = text.rstrip(".")
    changed = ranked(facts)
    if not changed or suspicion(changed[0], facts) <= 0:
        same = " Nothing changed since last known good." if facts.nothing_changed else ""
        return Cause(category=category, text=f"{text}.{same}", certainty=0.3, cites=("answer",))
    first = changed[0]
    line = line_in(first, facts)
    others = f" ({len(changed) - 1} other changes)" if len(changed) > 1 else ""
    return Cause(
        category=category,
        text=f"{text}. Suspected is line {line} of {first.path}, which changed since last known good{others}.",
        certainty=0.6 if len(changed) == 1 else 0.4,
        cites=("answer", "changes", "log"),
        file=first.path,
        line=line,
    )
