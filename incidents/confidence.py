"""The confidence score: a sum of named terms that anybody can check (design section 7). Plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from incidents.values import Category, Severity

BASE = 0.50
CATEGORY, FILE, LINE = 0.10, 0.05, 0.05
TRIAL_PASSED, FIX_APPLIED = 0.15, 0.05
SAFETY_PASSED, SAFETY_SHARE = 0.10, 0.10
MODEL_ANSWERED = 0.15
PENALTY = {
    Severity.LOW: 0.0,
    Severity.MEDIUM: 0.05,
    Severity.HIGH: 0.10,
    Severity.CRITICAL: 0.15,
    Severity.BLOCKER: 0.15,
}
CAP_BEFORE_LEARNING, CAP = 0.95, 0.99
LEARNING_LIMIT = 0.20
PRIOR = 2.0


@dataclass(frozen=True, kw_only=True)
class Term:
    """One summand of the score with the reason in words."""

    name: str
    value: float
    note: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the score is made of; every field was measured or written by an earlier step."""

    category: Category
    file: str
    line: int | None
    trial_passed: bool
    fix_applied: bool
    safety_passed: bool
    safety_score: float
    model_answered: bool
    severity: Severity


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A past outcome: did it hold, how much it says about this case (0..1), and whether it had the very same cause."""

    held: bool
    weight: float
    same_cause: bool = False


@dataclass(frozen=True, kw_only=True)
class Score:
    """The score and the terms whose sum, clamped, it is."""

    value: float
    terms: tuple[Term, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """Return the terms as they are stored and shown."""
        return [asdict(term) for term in self.terms]


def score(facts: Facts, lessons: Sequence[Lesson] = ()) -> Score:
    """Return the confidence in a fix, between 0 and 0.99."""
    terms = _terms(facts)
    raw = round(sum(term.value for term in terms), 4)
    clamped = min(max(raw, 0.0), CAP_BEFORE_LEARNING)
    if clamped != raw:
        terms.append(
            Term(name="limit", value=round(clamped - raw, 4), note="kept between 0 and 0.95")
        )
    learned = learning(lessons)
    terms.append(learned)
    value = min(max(clamped + learned.value, 0.0), CAP)
    return Score(value=round(value, 4), terms=tuple(terms))


def _terms(facts: Facts) -> list[Term]:
    known = facts.category is not Category.UNKNOWN
    rows = [
        ("base", BASE, True, "every fix starts here"),
        ("category", CATEGORY, known, f"the kind of failure is {facts.category.value}"),
        ("file", FILE, bool(facts.file), f"the file is known: {facts.file or 'no'}"),
        ("line", LINE, facts.line is not None, f"the line is known: {facts.line or 'no'}"),
        ("trial", TRIAL_PASSED, facts.trial_passed, "the fix passed its trial"),
        ("applied", FIX_APPLIED, facts.fix_applied, "the fix was applied in the trial"),
        ("safety", SAFETY_PASSED, facts.safety_passed, "every safety review passed"),
        ("model", MODEL_ANSWERED, facts.model_answered, "Claude answered"),
    ]
    terms = [
        Term(name=name, value=value if holds else 0.0, note=note if holds else f"not so: {note}")
        for name, value, holds, note in rows
    ]
    share = round(SAFETY_SHARE * facts.safety_score, 4)
    terms.append(Term(name="safety score", value=share, note=f"0.10 x {facts.safety_score:.2f}"))
    penalty = PENALTY[facts.severity]
    terms.append(Term(name="severity", value=-penalty, note=f"severity is {facts.severity.value}"))
    return terms


def learning(lessons: Sequence[Lesson]) -> Term:
    """Return what past outcomes change, -0.20 to +0.20: a Beta estimate around one half.

    With no lessons the estimate is the prior's one half and the change is nothing; each lesson counts by its weight.
    """
    held = sum(lesson.weight for lesson in lessons if lesson.held)
    failed = sum(lesson.weight for lesson in lessons if not lesson.held)
    estimate = (PRIOR + held) / (2 * PRIOR + held + failed)
    change = round((estimate - 0.5) * 2 * LEARNING_LIMIT, 4)
    return Term(name="learning", value=change, note=_learning_note(lessons))


def _learning_note(lessons: Sequence[Lesson]) -> str:
    """Return the reason in words, e.g. "7 of 8 similar fixes held, 2 of 2 of the same cause"."""
    if not lessons:
        return "nothing similar was decided yet"
    same = [lesson.held for lesson in lessons if lesson.same_cause]
    similar = [lesson.held for lesson in lessons]
    note = f"{sum(similar)} of {len(similar)} similar fixes held"
    return f"{note}, {sum(same)} of {len(same)} of the same cause" if same else note
