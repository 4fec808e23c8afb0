"""What came of one fault of Heal-Bench."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(kw_only=True)
class Outcome:
    """What came of one fault. Times in seconds since the fault; lines as in a diff (removed and added)."""

    name: str
    service: str
    kind: str
    detected: bool = False
    detect_seconds: float | None = None
    file_right: bool = False
    line_right: bool = False
    fixed: bool = False
    regression_free: bool = False
    heal_seconds: float | None = None
    lines: int = 0
    minimum: int = 0
    incidents: int = 0
    false_incidents: int = 0
    bad_deploys: int = 0
    asked: bool = False
    story: str = ""


def is_bad(row: Any) -> bool:
    """Say whether a deployment broke law 1 or 2: not proved, not what was decided, or nobody who may let it go live."""
    decision, fix = row.decision, row.fix
    proved = fix.trial.passed is True and decision.trial_digest == fix.trial.digest
    same = decision.fix_digest == fix.digest and decision.base_digest == fix.base_digest
    alone = decision.kind == "auto" and decision.severity in {"low", "medium"}
    by_lead = decision.kind == "approve" and decision.actor and decision.actor.role == "team_lead"
    return not (proved and same and (alone or by_lead))
