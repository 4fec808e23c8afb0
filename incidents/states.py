"""The one status field of an incident and every move that it may make (drawn in docs/states.md)."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where an incident stands."""

    DETECTED = "DETECTED"
    INVESTIGATING = "INVESTIGATING"
    FIX_PROPOSED = "FIX_PROPOSED"
    TESTING = "TESTING"
    REVIEWING = "REVIEWING"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    ESCALATED = "ESCALATED"
    DEPLOYING = "DEPLOYING"
    VERIFYING = "VERIFYING"
    ROLLED_BACK = "ROLLED_BACK"
    RESOLVED = "RESOLVED"
    RECOVERED = "RECOVERED"
    REJECTED = "REJECTED"
    CLOSED = "CLOSED"


class Step(StrEnum):
    """The steps that the runner takes, in order; `WAIT` means that a person or the world moves next."""

    COLLECT = "collect"
    DIAGNOSE = "diagnose"
    PROPOSE = "propose"
    TRIAL = "trial"
    REVIEW = "review"
    DECIDE = "decide"
    DEPLOY = "deploy"
    VERIFY = "verify"
    REPORT = "report"
    LEARN = "learn"
    WAIT = ""


S = Status
ENDED = frozenset({S.RESOLVED, S.RECOVERED, S.REJECTED, S.CLOSED})
WORKING = frozenset(
    {
        S.DETECTED,
        S.INVESTIGATING,
        S.FIX_PROPOSED,
        S.TESTING,
        S.REVIEWING,
        S.DEPLOYING,
        S.VERIFYING,
        S.ROLLED_BACK,
    }
)
WAITING = frozenset({S.AWAITING_APPROVAL, S.ESCALATED})
OPEN = WORKING | WAITING
BEFORE_DEPLOY = frozenset(
    {
        S.DETECTED,
        S.INVESTIGATING,
        S.FIX_PROPOSED,
        S.TESTING,
        S.REVIEWING,
        S.AWAITING_APPROVAL,
        S.ESCALATED,
    }
)

TRANSITIONS: dict[Status, frozenset[Status]] = {
    S.DETECTED: frozenset({S.INVESTIGATING, S.ESCALATED, S.RECOVERED, S.CLOSED}),
    S.INVESTIGATING: frozenset({S.FIX_PROPOSED, S.TESTING, S.ESCALATED, S.RECOVERED, S.CLOSED}),
    S.FIX_PROPOSED: frozenset({S.TESTING, S.INVESTIGATING, S.ESCALATED, S.RECOVERED, S.CLOSED}),
    S.TESTING: frozenset({S.REVIEWING, S.INVESTIGATING, S.ESCALATED, S.RECOVERED, S.CLOSED}),
    S.REVIEWING: frozenset(
        {S.DEPLOYING, S.AWAITING_APPROVAL, S.ESCALATED, S.INVESTIGATING, S.RECOVERED, S.CLOSED}
    ),
    S.AWAITING_APPROVAL: frozenset(
        {S.DEPLOYING, S.REJECTED, S.INVESTIGATING, S.TESTING, S.ESCALATED, S.RECOVERED, S.CLOSED}
    ),
    S.ESCALATED: frozenset(
        {
            S.DEPLOYING,
            S.REJECTED,
            S.INVESTIGATING,
            S.TESTING,
            S.AWAITING_APPROVAL,
            S.RECOVERED,
            S.RESOLVED,
            S.CLOSED,
        }
    ),
    S.DEPLOYING: frozenset({S.VERIFYING, S.ROLLED_BACK, S.INVESTIGATING, S.ESCALATED}),
    S.VERIFYING: frozenset({S.RESOLVED, S.ROLLED_BACK}),
    S.ROLLED_BACK: frozenset({S.ESCALATED}),
    S.RESOLVED: frozenset({S.INVESTIGATING, S.ROLLED_BACK, S.CLOSED}),
    S.RECOVERED: frozenset({S.INVESTIGATING, S.CLOSED}),
    S.REJECTED: frozenset({S.INVESTIGATING, S.RECOVERED, S.CLOSED}),
    S.CLOSED: frozenset({S.INVESTIGATING}),
}


class IllegalTransition(Exception):
    """An incident was asked to make a move that its table does not allow."""

    def __init__(self, current: str, wanted: str) -> None:
        super().__init__(f"An incident that is {current} cannot become {wanted}.")
        self.current, self.wanted = current, wanted


class Conflict(Exception):
    """A person's decision does not fit what is now: wrong state, drifted digest, expired, or somebody was first."""


class BadInput(Conflict):
    """What a person typed is missing, too long or means nobody: the words have to change, not the incident."""


def check(current: str, wanted: str) -> None:
    """Raise `IllegalTransition` unless the move is in the table; staying where one is is no move."""
    if current != wanted and Status(wanted) not in TRANSITIONS[Status(current)]:
        raise IllegalTransition(current, wanted)
