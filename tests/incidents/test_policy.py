"""Who may let a fix go live: every way in which `auto` must not happen, as a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.policy import Case, Policy, decide, severity_of
from incidents.values import Category, Severity

POLICY = Policy(
    mode="auto",
    ceiling="medium",
    auto_threshold=0.85,
    escalation_threshold=0.50,
    limit_per_fingerprint=3,
    limit_per_service=6,
    editable_globs=("*.py",),
)
CASE = Case(
    score=0.95,
    severity=Severity.MEDIUM,
    has_fix=True,
    trial_passed=True,
    trial_reason="",
    safety_passed=True,
    safety_reason="",
    weak_isolation=False,
    forbidden="",
    used_for_fingerprint=0,
    used_for_service=0,
)


def test_a_proved_safe_fix_of_medium_severity_goes_live_alone() -> None:
    assert decide(POLICY, CASE).kind == "auto"


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"has_fix": False}, "escalate"),
        ({"score": 0.49}, "escalate"),
        ({"score": 0.50}, "ask"),
        ({"score": 0.849}, "ask"),
        ({"score": 0.85}, "auto"),
        ({"severity": Severity.LOW}, "auto"),
        ({"severity": Severity.HIGH}, "ask"),
        ({"severity": Severity.CRITICAL}, "ask"),
        ({"severity": Severity.BLOCKER}, "ask"),
        ({"trial_passed": False}, "ask"),
        ({"trial_passed": None}, "ask"),
        ({"safety_passed": False}, "ask"),
        ({"weak_isolation": True}, "ask"),
        ({"forbidden": "the agent is paused"}, "ask"),
        ({"used_for_fingerprint": 3}, "ask"),
        ({"used_for_service": 6}, "ask"),
    ],
)
def test_one_thing_against_it_is_enough(change: dict[str, Any], kind: str) -> None:
    assert decide(POLICY, replace(CASE, **change)).kind == kind


@pytest.mark.parametrize("mode", ["observe", "ask"])
def test_only_auto_mode_deploys_alone(mode: str) -> None:
    assert decide(replace(POLICY, mode=mode), CASE).kind == "ask"


def test_no_ceiling_lifts_a_blocker_over_the_law() -> None:
    generous = replace(POLICY, ceiling="blocker", auto_threshold=0.0, escalation_threshold=0.0)
    assert decide(generous, replace(CASE, severity=Severity.BLOCKER)).kind == "ask"


@given(
    score=st.floats(0, 0.99),
    trial=st.sampled_from([False, None]),
    severity=st.sampled_from(list(Severity)),
    ceiling=st.sampled_from([level.value for level in Severity]),
)
def test_no_score_and_no_setting_deploys_an_unproved_fix(
    score: float, trial: bool | None, severity: Severity, ceiling: str
) -> None:
    policy = replace(POLICY, ceiling=ceiling, auto_threshold=0.0)
    case = replace(CASE, score=score, trial_passed=trial, severity=severity)
    assert decide(policy, case).kind != "auto"


@pytest.mark.parametrize(
    ("symptom", "category", "severity"),
    [
        ("no_process", Category.CRASH, "blocker"),
        ("refused", Category.UNKNOWN, "blocker"),
        ("bad_config", Category.CONFIG, "blocker"),
        ("http_error", Category.STARTUP, "blocker"),
        ("wrong_answer", Category.WRONG_ANSWER, "critical"),
        ("http_error", Category.DEPENDENCY, "high"),
        ("http_error", Category.CODE, "medium"),
        ("slow", Category.SLOW, "medium"),
        ("timeout", Category.HANG, "medium"),
        ("subsystem", Category.UNKNOWN, "low"),
        ("subsystem_down", Category.UNKNOWN, "high"),
        ("subsystem_down", Category.CODE, "high"),
        ("subsystem_down", Category.CRASH, "blocker"),
    ],
)
def test_severity_follows_from_what_was_measured(
    symptom: str, category: Category, severity: str
) -> None:
    assert severity_of(symptom, category) == severity


def test_every_rule_of_a_policy_is_in_its_digest() -> None:
    changed: list[dict[str, Any]] = [
        {"mode": "ask"},
        {"ceiling": "low"},
        {"auto_threshold": 0.9},
        {"escalation_threshold": 0.4},
        {"limit_per_fingerprint": 9},
        {"limit_per_service": 9},
        {"editable_globs": ("*",)},
    ]
    digests = {replace(POLICY, **change).digest for change in changed}
    assert len(digests | {POLICY.digest}) == len(changed) + 1
