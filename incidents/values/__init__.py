"""Plain values of the pipeline: kinds, actions, evidence, drafts, boxes and verdicts. No Django here."""

from __future__ import annotations

from incidents.values.actions import (
    Action,
    BadActions,
    Edit,
    Restart,
    Revert,
    RevertEnvironment,
    actions_from_json,
    actions_to_json,
)
from incidents.values.boxes import BoxPlan, BoxUsage, StartUp
from incidents.values.drafts import DiagnosisDraft, Finding, FixDraft, ProposedChange, SafetyVerdict
from incidents.values.evidence import (
    EvidenceItem,
    EvidencePack,
    Exchange,
    Failure,
    Wishes,
    Workbench,
)
from incidents.values.kinds import Category, Severity, digest_of, tree_digest

__all__ = [
    "Action",
    "BadActions",
    "BoxPlan",
    "BoxUsage",
    "Category",
    "DiagnosisDraft",
    "Edit",
    "EvidenceItem",
    "EvidencePack",
    "Exchange",
    "Failure",
    "Finding",
    "FixDraft",
    "ProposedChange",
    "Restart",
    "Revert",
    "RevertEnvironment",
    "SafetyVerdict",
    "Severity",
    "StartUp",
    "Wishes",
    "Workbench",
    "actions_from_json",
    "actions_to_json",
    "digest_of",
    "tree_digest",
]
