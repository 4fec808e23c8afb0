"""The approval matrix of a new installation (design, "Roles"). Managers change the rows, not this file."""

from __future__ import annotations

from collections.abc import Iterator

from teams.roles import BY_SEVERITY, Role, Verb

# The highest severity for the verbs that have one; None: none of them.
REACH: dict[Role, tuple[frozenset[Verb], str]] = {
    Role.TEAM_LEAD: (BY_SEVERITY, "blocker"),
    Role.SENIOR_DEV: (BY_SEVERITY, "medium"),
    Role.JUNIOR_DEV: (frozenset({Verb.APPROVE, Verb.REJECT}), "low"),
}

WHOLE: dict[Role, frozenset[Verb]] = {
    Role.TEAM_LEAD: frozenset(Verb) - BY_SEVERITY,
    Role.SENIOR_DEV: frozenset(
        {
            Verb.VIEW,
            Verb.COMMENT,
            Verb.ACKNOWLEDGE,
            Verb.ASSIGN,
            Verb.PROPOSE,
            Verb.TAKE_OVER,
            Verb.RESOLVE,
            Verb.REOPEN,
            Verb.SEND_READ,
            Verb.SIMULATE_TRAFFIC,
            Verb.VIEW_REPORTS,
            Verb.WRITE_POSTMORTEM,
        }
    ),
    Role.JUNIOR_DEV: frozenset(
        {Verb.VIEW, Verb.COMMENT, Verb.ACKNOWLEDGE, Verb.PROPOSE, Verb.SEND_READ}
    ),
    Role.MANAGER: frozenset(
        {
            Verb.VIEW,
            Verb.COMMENT,
            Verb.CONFIGURE,
            Verb.INJECT_FAULT,
            Verb.RESTORE,
            Verb.PAUSE_AGENT,
            Verb.VIEW_AUDIT,
            Verb.VIEW_REPORTS,
            Verb.EXCLUDE_LEARNING,
        }
    ),
    Role.VIEWER: frozenset({Verb.VIEW}),
}


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield (role, verb, up_to) of every right, in a fixed order."""
    for role, (verbs, up_to) in REACH.items():
        yield from ((role.value, verb.value, up_to) for verb in sorted(verbs))
    for role, verbs in WHOLE.items():
        yield from ((role.value, verb.value, "") for verb in sorted(verbs))
