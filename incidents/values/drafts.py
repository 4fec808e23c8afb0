"""What is proposed and what is said of it: causes, fixes, changes, verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from incidents.values.actions import Action
from incidents.values.kinds import Category
from monitoring.values import Tree


@dataclass(frozen=True, kw_only=True)
class DiagnosisDraft:
    """A cause with its place. `certainty` is 0..1; `cited` names evidence ids; `file` is relative to the service."""

    category: Category
    root_cause: str
    file: str = ""
    line: int | None = None
    plain: str = ""
    analogy: str = ""
    certainty: float = 0.5
    cited: tuple[str, ...] = ()
    ruled_out: tuple[str, ...] = ()
    author: str = "built-in"
    spent: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FixDraft:
    """A proposed fix as typed actions; what it writes is computed by us, never by its author."""

    actions: tuple[Action, ...]
    explanation: str
    risks: str = ""
    author: str = "built-in"
    proved_minimal: bool = False


@dataclass(frozen=True, kw_only=True)
class ProposedChange:
    """What a reviewer judges: the exact files before and after, and the actions that lead there."""

    service: str
    actions: tuple[Action, ...]
    before: Tree
    after: Mapping[str, bytes | None]
    diff: str
    editable_globs: tuple[str, ...]
    author: str
    incident_reference: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing a reviewer objects to; `rule` is its stable name, `policy` the policy it breaks."""

    rule: str
    policy: str
    detail: str
    path: str = ""
    line: int | None = None
    severity: str = "high"


@dataclass(frozen=True, kw_only=True)
class SafetyVerdict:
    """A review's result. `passed` None means no verdict could be had; `score` is 0..1."""

    passed: bool | None
    score: float
    findings: tuple[Finding, ...] = ()
    policies: Mapping[str, bool] = field(default_factory=dict)
    reviewer: str = "built-in"
    session: str = ""
    note: str = ""
