"""The score is the sum that design section 7 names, clamped, and every term is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.confidence import Facts, Lesson, learning, score
from incidents.values import Category, Severity

BEST = Facts(
    category=Category.CODE,
    file="handler.py",
    line=12,
    trial_passed=True,
    fix_applied=True,
    safety_passed=True,
    safety_score=1.0,
    model_answered=False,
    severity=Severity.MEDIUM,
)


def test_a_proved_bug_fix_reaches_the_cap() -> None:
    assert score(BEST).value == 0.95


def test_a_proved_restart_of_a_killed_process_reaches_the_threshold_exactly() -> None:
    crash = replace(BEST, category=Category.CRASH, file="", line=None, severity=Severity.BLOCKER)
    assert score(crash).value == pytest.approx(0.85)


def test_without_trial_and_safety_little_confidence_is_left() -> None:
    unproved = replace(
        BEST, trial_passed=False, fix_applied=False, safety_passed=False, safety_score=0.0
    )
    assert score(unproved).value == pytest.approx(0.65)


@pytest.mark.parametrize(
    ("severity", "penalty"),
    [("low", 0.0), ("medium", 0.05), ("high", 0.10), ("critical", 0.15), ("blocker", 0.15)],
)
def test_each_severity_has_its_penalty(severity: str, penalty: float) -> None:
    low = replace(BEST, category=Category.UNKNOWN, file="", line=None, safety_score=0.0)
    without = score(replace(low, severity=Severity.LOW)).value
    assert without - score(replace(low, severity=Severity(severity))).value == pytest.approx(
        penalty
    )


def test_claude_adds_fifteen_hundredths_only_when_it_answered() -> None:
    weak = replace(BEST, trial_passed=False, safety_passed=False, safety_score=0.0)
    with_model = score(replace(weak, model_answered=True)).value
    assert with_model - score(weak).value == pytest.approx(0.15)


def test_the_terms_shown_add_up_to_the_value() -> None:
    result = score(BEST, [Lesson(held=False, weight=1.0)])
    assert sum(term.value for term in result.terms) == pytest.approx(result.value)


def test_lessons_move_the_score_at_most_a_fifth() -> None:
    held = [Lesson(held=True, weight=1.0)] * 500
    failed = [Lesson(held=False, weight=1.0)] * 500
    assert 0.19 < learning(held).value <= 0.20
    assert -0.20 <= learning(failed).value < -0.19
    assert learning([]).value == 0


@given(
    safety=st.floats(0, 1),
    lessons=st.lists(st.builds(Lesson, held=st.booleans(), weight=st.floats(0, 1)), max_size=30),
    severity=st.sampled_from(list(Severity)),
    flags=st.tuples(*[st.booleans()] * 4),
)
def test_the_score_never_leaves_its_range(
    safety: float, lessons: list[Lesson], severity: Severity, flags: tuple[bool, ...]
) -> None:
    trial, applied, passed, model = flags
    facts = replace(
        BEST,
        safety_score=safety,
        severity=severity,
        trial_passed=trial,
        fix_applied=applied,
        safety_passed=passed,
        model_answered=model,
    )
    assert 0 <= score(facts, lessons).value <= 0.99
