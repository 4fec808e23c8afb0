"""What an answer of White Circle means: whatever is not a clear "not flagged" is not passed. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incidents.values import Finding, SafetyVerdict

REVIEWER = "White Circle"
SESSION_CHARACTERS = 120


def verdict_of(answer: object, session: str) -> SafetyVerdict:
    """Return what the parsed answer says about the fix of this session."""
    if not isinstance(answer, dict):
        return not_passed("White Circle's answer is not understood")
    seen = answer.get("external_session_id", session)
    internal = str(answer.get("internal_session_id") or "")[:SESSION_CHARACTERS]
    if not isinstance(answer.get("flagged"), bool):
        return not_passed("White Circle's answer does not say whether the fix is flagged", internal)
    if seen not in (session, None):
        return not_passed("White Circle's answer is about another session", internal)
    try:
        policies = _policies(answer.get("policies") or {})
    except (TypeError, AttributeError):
        return not_passed("White Circle's answer about its policies is not understood", internal)
    broken = sorted(name for name, kept in policies.items() if not kept)
    passed = not answer["flagged"] and not broken
    note = "" if policies else "White Circle checked against no policy."
    findings = [
        Finding(rule="white_circle", policy=name, detail=f"breaks the policy {name}")
        for name in broken
    ]
    if not passed and not findings:
        findings = [Finding(rule="white_circle", policy="", detail="is flagged without a policy")]
    return SafetyVerdict(
        passed=passed,
        score=1.0 if passed else 0.0,
        findings=tuple(findings),
        policies=policies,
        reviewer=REVIEWER,
        session=internal,
        note=note,
    )


def _policies(raw: Mapping[str, Any]) -> dict[str, bool]:
    """Return policy name to whether it is kept; raise TypeError or AttributeError for what is not understood."""
    kept: dict[str, bool] = {}
    for key, policy in raw.items():
        flagged = policy.get("flagged")
        if not isinstance(flagged, bool):
            raise TypeError("a policy without a boolean")
        name = str(policy.get("name") or key)[:100]
        kept[name] = kept.get(name, True) and not flagged
    return kept


def not_passed(why: str, session: str = "") -> SafetyVerdict:
    """Return the verdict on a fix that cannot be let pass, with why."""
    finding = Finding(rule="white_circle", policy="", detail=why)
    return SafetyVerdict(
        passed=False,
        score=0.0,
        findings=(finding,),
        reviewer=REVIEWER,
        session=session,
        note=why,
    )
