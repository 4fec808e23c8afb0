"""Who may let a fix go live, and how bad a failure is: the rules, as plain functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from incidents.values import Category, Severity, digest_of
from monitoring.values import Symptom

VERSION = 2
_UNUSABLE = {Symptom.NO_PROCESS, Symptom.REFUSED, Symptom.STOPPED, Symptom.BAD_CONFIG}
_BY_CATEGORY = {
    Category.CRASH: Severity.BLOCKER,
    Category.STARTUP: Severity.BLOCKER,
    Category.WRONG_ANSWER: Severity.CRITICAL,
    Category.DATA: Severity.CRITICAL,
    Category.DEPENDENCY: Severity.HIGH,
}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a service allows. Its digest is part of every approval (law 2)."""

    mode: str
    ceiling: str
    auto_threshold: float
    escalation_threshold: float
    limit_per_fingerprint: int
    limit_per_service: int
    editable_globs: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Return the digest of the rules that stand in this row and in this file."""
        return digest_of({"version": VERSION, **asdict(self)})


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the decision looks at. `forbidden` says why no change may be made now, or is empty.

    `weak_proof` says what made the trial prove less than usual, `owed` that the same restart "helped" before.
    """

    score: float
    severity: Severity
    has_fix: bool
    trial_passed: bool | None
    trial_reason: str
    safety_passed: bool
    safety_reason: str
    weak_isolation: bool
    forbidden: str
    used_for_fingerprint: int
    used_for_service: int
    weak_proof: str = ""
    owed: str = ""


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """The decision: `kind` is auto, ask or escalate, with every reason in words."""

    kind: str
    reasons: tuple[str, ...]


def severity_of(symptom: str, category: Category) -> Severity:
    """Return how bad a failure is, from what was measured and from the kind of cause."""
    if symptom in _UNUSABLE or category in {Category.CRASH, Category.STARTUP}:
        return Severity.BLOCKER
    if symptom == Symptom.RESOURCES:
        return Severity.LOW  # every answer is still right
    if symptom == Symptom.WRONG_ANSWER:
        return Severity.CRITICAL
    if category in _BY_CATEGORY:
        return _BY_CATEGORY[category]
    if symptom == Symptom.SUBSYSTEM_DOWN:
        return (
            Severity.HIGH
        )  # a data store, its disk, a service that it needs: whatever in the code made it so
    if symptom == Symptom.SUBSYSTEM:
        return Severity.LOW
    return Severity.MEDIUM


def decide(policy: Policy, case: Case) -> Ruling:
    """Return auto only when nothing at all speaks against it; else who has to look, and why."""
    if not case.has_fix:
        return Ruling(kind="escalate", reasons=("no honest fix is known",))
    if case.score < policy.escalation_threshold:
        return Ruling(
            kind="escalate",
            reasons=(
                f"confidence {case.score:.2f} is below {policy.escalation_threshold:.2f}: an expert is needed",
            ),
        )
    against = tuple(_against_auto(policy, case))
    if against:
        return Ruling(kind="ask", reasons=against)
    return Ruling(
        kind="auto",
        reasons=(
            f"confidence {case.score:.2f} reaches {policy.auto_threshold:.2f} and severity {case.severity.value} "
            f"is within {policy.ceiling}",
        ),
    )


def _against_auto(policy: Policy, case: Case) -> Sequence[str]:
    ceiling = min(Severity(policy.ceiling), Severity.MEDIUM, key=lambda level: level.rank)
    per_cause, per_service = case.used_for_fingerprint, case.used_for_service
    checks = [
        (policy.mode != "auto", f"the service is in {policy.mode} mode"),
        (bool(case.forbidden), case.forbidden),
        (
            case.score < policy.auto_threshold,
            f"confidence {case.score:.2f} is below {policy.auto_threshold:.2f}",
        ),
        (
            case.severity.rank > ceiling.rank,
            f"severity {case.severity.value} needs a person (alone up to {ceiling.value})",
        ),
        (
            case.trial_passed is not True,
            f"the trial did not pass: {case.trial_reason or 'no trial'}",
        ),
        (not case.safety_passed, f"safety: {case.safety_reason}"),
        (case.weak_isolation, "a model's code was tried with resource limits only"),
        (bool(case.weak_proof), f"the trial proves less than usual: {case.weak_proof}"),
        (bool(case.owed), case.owed),
        (
            per_cause >= policy.limit_per_fingerprint,
            f"{per_cause} automatic fixes of this cause in the last hour",
        ),
        (
            per_service >= policy.limit_per_service,
            f"{per_service} automatic fixes of this service in the last hour",
        ),
    ]
    return [reason for applies, reason in checks if applies]
