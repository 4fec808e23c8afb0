"""What one person may do with one incident now: the buttons of its page, and the plain sentence for each refusal.

The page only shows this. Every act is judged again, in its own transaction, by the pipeline function that carries it out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from incidents.models import Decision, Fix
from incidents.queries.page import Loaded
from incidents.states import BEFORE_DEPLOY, ENDED, WAITING, Status
from teams import access
from teams.models import User
from teams.roles import Verb


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One thing to do: whether it fits the state (`shown`), whether this person may, and if not, why, and who may."""

    shown: bool = False
    allowed: bool = False
    why: str = ""
    whom: str = ""


def named(loaded: Loaded) -> set[int]:
    """Return the people whose page differs from that of others in their role."""
    incident = loaded.incident
    cause = incident.caused_by
    ids = [incident.assignee_id, incident.taken_over_by_id, cause.actor_id if cause else None]
    ids += [fix.proposer_id for fix in loaded.fixes]
    return {person for person in ids if person}


def rulings(people: Iterable[User], loaded: Loaded) -> access.Rulings:
    """Return what decides about these people's rights on this incident: two queries."""
    return access.Rulings(people, service=loaded.incident.service.slug)


def decision(person: User, loaded: Loaded, rights: access.Rulings) -> dict[str, Any]:
    """Return the decision bar for a person; one query for all, when somebody is to be named."""
    incident = loaded.incident
    verbs = rights.allowed_verbs(person, severity=incident.severity)
    fix = loaded.offered if incident.status in WAITING else None
    deeds = {"approve": _approve(person, loaded, rights)}
    for name, verb, shown in _others(person, loaded):
        deeds[name] = Deed(shown=shown and verb in verbs, allowed=verb in verbs)
    may_comment = Verb.COMMENT in verbs
    at_hand = _at_hand(person, loaded, deeds, may_ask=may_comment)
    elsewhere = {"approve", "reject", *at_hand}
    return {
        "fix_digest": fix.digest if fix else "",
        "deeds": deeds,
        "at_hand": at_hand,
        "more": any(deeds[name].shown for name in deeds if name not in elsewhere),
        "may_comment": may_comment,
        "may_choose": Verb.CHOOSE_CANDIDATE in verbs and incident.status in WAITING,
        "people": rights.colleagues if deeds["assign"].shown else [],
    }


def _at_hand(person: User, loaded: Loaded, deeds: dict[str, Deed], *, may_ask: bool) -> set[str]:
    """Return which deeds are a button in the bar, beside approve and reject; the rest is in its menu.

    Where nothing can be approved, it is what this person would do next.
    """
    waits, holder = loaded.incident.status in WAITING, loaded.incident.taken_over_by_id
    approve = deeds["approve"]
    refused = approve.shown and not approve.allowed and not holder
    fits = {
        "acknowledge": not approve.allowed and not holder,
        "take_over": waits and not approve.shown,
        "hand_back": waits and holder == person.pk,
    }
    asks = {"ask"} if refused and may_ask and not deeds["override"].shown else set()
    return asks | {name for name, fit in fits.items() if fit and deeds[name].shown}


def _others(person: User, loaded: Loaded) -> list[tuple[str, Verb, bool]]:
    """Return (name, verb, does it fit the state) of all but the approval."""
    incident = loaded.incident
    waits = incident.status in WAITING
    early = incident.status in BEFORE_DEPLOY
    taken = incident.taken_over_by_id
    return [
        ("reject", Verb.REJECT, waits),
        ("request_changes", Verb.REQUEST_CHANGES, waits),
        ("propose", Verb.PROPOSE, waits and loaded.diagnosis is not None),
        ("override", Verb.OVERRIDE, waits and bool(loaded.offered) and bool(_lacks_proof(loaded))),
        ("acknowledge", Verb.ACKNOWLEDGE, early and not incident.acknowledged_at),
        ("take_over", Verb.TAKE_OVER, early and not taken),
        ("hand_back", Verb.TAKE_OVER, early and bool(taken)),
        ("assign", Verb.ASSIGN, incident.status not in ENDED),
        ("close", Verb.RESOLVE, early or incident.status == Status.REJECTED),
        ("reopen", Verb.REOPEN, incident.status in ENDED),
    ]


def _approve(person: User, loaded: Loaded, rights: access.Rulings) -> Deed:
    incident, fix = loaded.incident, loaded.offered
    if incident.status not in WAITING or fix is None:
        return Deed()
    ruling = rights.may(person, Verb.APPROVE, severity=incident.severity)
    if not ruling.allowed:
        return Deed(shown=True, why=_sentence(ruling.reason), whom=ruling.whom)
    why = (
        _in_hands(loaded)
        or _own_doing(person, loaded, fix)
        or _lacks_proof(loaded)
        or _unasked(loaded, fix)
    )
    return Deed(shown=True, allowed=not why, why=why)


def _in_hands(loaded: Loaded) -> str:
    holder = loaded.incident.taken_over_by
    return f"{holder} has it: nothing is deployed before it is handed back." if holder else ""


def _own_doing(person: User, loaded: Loaded, fix: Fix) -> str:
    cause = loaded.incident.caused_by
    if fix.proposer_id == person.pk:
        return "Nobody approves their own proposal; ask a colleague."
    if cause and cause.actor_id == person.pk and not loaded.incident.service.is_demo:
        return "You injected this fault; a person who did not cause it has to approve."
    return ""


def _lacks_proof(loaded: Loaded) -> str:
    """Return why the fix is not proven, or an empty text."""
    if loaded.trial is None or loaded.trial.passed is not True:
        return "The fix did not pass its trial; only a team lead may override that."
    if not any(row.passed for row in loaded.reviews) or any(
        row.passed is False for row in loaded.reviews
    ):
        return "The safety review did not pass; only a team lead may override that."
    return ""


def _unasked(loaded: Loaded, fix: Fix) -> str:
    kinds = {Decision.Kind.ASK, Decision.Kind.ESCALATE}
    asked = [row for row in loaded.decisions if row.kind in kinds and row.fix_id == fix.pk]
    valid = [row for row in asked if row.voided_at is None]
    if not valid:
        return "Nobody was asked about this fix."
    expires = valid[-1].expires_at
    if expires and expires < timezone.now():
        return "The question has expired; request changes to have it looked at again."
    return ""


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."
