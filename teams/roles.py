"""The roles and the verbs of the approval matrix. Plain values; the rows that join them are in the database."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person is in the team."""

    TEAM_LEAD = "team_lead"
    SENIOR_DEV = "senior_dev"
    JUNIOR_DEV = "junior_dev"
    MANAGER = "manager"
    VIEWER = "viewer"


class Verb(StrEnum):
    """What a person may do. Verbs in `BY_SEVERITY` are granted up to a severity, the others as a whole."""

    VIEW = "view"
    COMMENT = "comment"
    APPROVE = "approve"
    REJECT = "reject"
    OVERRIDE = "override"
    PROPOSE = "propose"
    REQUEST_CHANGES = "request_changes"
    CHOOSE_CANDIDATE = "choose_candidate"
    ASSIGN = "assign"
    ACKNOWLEDGE = "acknowledge"
    TAKE_OVER = "take_over"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    INJECT_FAULT = "inject_fault"
    RESTORE = "restore"
    PAUSE_AGENT = "pause_agent"
    CONFIGURE = "configure"
    SEND_READ = "send_read"
    SEND_WRITE = "send_write"
    SIMULATE_TRAFFIC = "simulate_traffic"
    VIEW_REPORTS = "view_reports"
    WRITE_POSTMORTEM = "write_postmortem"
    EXCLUDE_LEARNING = "exclude_learning"
    VIEW_AUDIT = "view_audit"


BY_SEVERITY = frozenset({Verb.APPROVE, Verb.REJECT, Verb.REQUEST_CHANGES, Verb.CHOOSE_CANDIDATE})
# Whoever edits the matrix must not be able to let a fix go live: it would be one line for them to allow it to themselves.
NOT_FOR_MANAGERS = frozenset({Verb.APPROVE, Verb.OVERRIDE})
SEVERITIES = ("low", "medium", "high", "critical", "blocker")
HIGHEST = SEVERITIES[-1]

ROLE_WORDS = {role: role.value.replace("_", " ") for role in Role}
# Whom to ask first: the nearest role that may, the console's owner last.
ASKING_ORDER = (Role.VIEWER, Role.JUNIOR_DEV, Role.SENIOR_DEV, Role.TEAM_LEAD, Role.MANAGER)

# How a sentence goes on after "your role may (not) ...".
VERB_WORDS = {verb: verb.value.replace("_", " ") for verb in Verb} | {
    Verb.OVERRIDE: "override a missing or failed trial",
    Verb.PROPOSE: "propose a fix",
    Verb.CHOOSE_CANDIDATE: "choose another candidate",
    Verb.ASSIGN: "assign incidents",
    Verb.RESOLVE: "resolve by hand",
    Verb.INJECT_FAULT: "inject faults",
    Verb.RESTORE: "restore a service",
    Verb.PAUSE_AGENT: "pause the agent",
    Verb.CONFIGURE: "configure services",
    Verb.SEND_READ: "send read requests",
    Verb.SEND_WRITE: "send write requests",
    Verb.SIMULATE_TRAFFIC: "simulate traffic",
    Verb.WRITE_POSTMORTEM: "write a post-mortem",
    Verb.EXCLUDE_LEARNING: "exclude learning records",
    Verb.VIEW_AUDIT: "view the audit trail",
}
