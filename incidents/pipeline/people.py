"""What people do with an incident besides deciding on the agent's fix: look, talk, take it, propose, end it.

Every function checks the matrix, makes its change in one transaction, and leaves a timeline entry and an audit record.
"""

from __future__ import annotations

import re
from typing import Any

from django.db import transaction

from incidents import queue
from incidents.alerts import notify
from incidents.engine.patches import PatchError
from incidents.models import Comment, Fix, Incident, Kind
from incidents.pipeline.approvals import acknowledged
from incidents.pipeline.fixes import build_fix
from incidents.pipeline.gates import Conflict, approvers, locked
from incidents.pipeline.packs import pack_of
from incidents.states import BEFORE_DEPLOY, ENDED, WAITING, BadInput, Status, Step
from incidents.timeline import note
from incidents.values import BadActions, FixDraft, actions_from_json
from teams import access, audit
from teams.models import User
from teams.roles import Verb

MENTION = re.compile(r"@([\w.+-]+)")


def _entered(incident_id: int, person: User, verb: Verb) -> Incident:
    incident = locked(incident_id)
    access.require(person, verb, severity=incident.severity, service=incident.service.slug)
    return incident


def _record(incident: Incident, person: User, kind: str, text: str, **after: Any) -> None:
    note(incident, kind, text, actor=str(person))
    audit.record(actor=person, verb=kind, target=f"incident:{incident.pk}", after=after)


def acknowledge(*, incident_id: int, person: User) -> Incident:
    """Say "I have seen it": stops the escalation to the next role."""
    with transaction.atomic():
        incident = _entered(incident_id, person, Verb.ACKNOWLEDGE)
        if incident.status in ENDED:
            raise Conflict(f"The incident has ended ({incident.status}).")
        if not incident.acknowledged_at:
            incident.touch(**acknowledged(incident, person))
            _record(incident, person, "acknowledged", f"{person} acknowledged.")
    return incident


def assign(*, incident_id: int, person: User, assignee: User) -> Incident:
    """Give the incident to a person, who is told."""
    with transaction.atomic():
        incident = _entered(incident_id, person, Verb.ASSIGN)
        if not assignee.is_admitted:
            raise BadInput(f"{assignee} is not active any more.")
        incident.touch(assignee=assignee)
        _record(
            incident, person, "assigned", f"{person} assigned it to {assignee}.", to=assignee.email
        )
        key = f"assigned:{incident.pk}:{incident.version}"
        text = f"{person} assigned to you: {incident.title}"
        notify.tell([assignee], incident=incident, kind=Kind.ASSIGNED, text=text, key=key)
    return incident


def comment(*, incident_id: int, person: User, text: str) -> Comment:
    """Add to the discussion; people who are mentioned as @name (the part of their e-mail before @) are told."""
    text = text.strip()
    if not text or len(text) > 5000:
        raise BadInput("A comment needs 1 to 5,000 characters.")
    with transaction.atomic():
        incident = _entered(incident_id, person, Verb.COMMENT)
        row = Comment.objects.create(incident=incident, author=person, text=text)
        note(incident, "comment", f"{person} commented.", actor=str(person))
        names = {name.lower() for name in MENTION.findall(text)}
        people = [u for u in User.objects.admitted() if u.email.split("@")[0] in names]
        told = f"{person} mentioned you: {text[:120]}"
        notify.tell(
            [one for one in people if one.pk != person.pk],
            incident=incident,
            kind=Kind.MENTION,
            text=told,
            key=f"comment:{row.pk}",
        )
    return row


def ask(*, incident_id: int, person: User) -> list[User]:
    """Ask those whose role may approve for help; return who they are. Each is told once an attempt and asker."""
    with transaction.atomic():
        incident = _entered(incident_id, person, Verb.COMMENT)
        if incident.status in ENDED:
            raise Conflict(f"The incident has ended ({incident.status}).")
        able = [one for one in approvers(incident) if one.pk != person.pk]
        asked = [one for one in able if one.role == able[0].role]
        if not asked:
            raise Conflict("Nobody who is active may approve this; ask a manager.")
        text = f"{person} asks for your help: {incident.title}"
        key = f"help:{incident.pk}:{incident.attempt}:{person.pk}"
        if notify.tell(asked, incident=incident, kind=Kind.HELP, text=text, key=key):
            names = ", ".join(one.name for one in asked)
            _record(incident, person, "asked_for_help", f"{person} asked {names} for help.")
    return asked


def take_over(*, incident_id: int, person: User) -> Incident:
    """Say "I have it": the agent changes nothing for this incident until it is handed back."""
    with transaction.atomic():
        incident = _entered(incident_id, person, Verb.TAKE_OVER)
        if incident.status not in BEFORE_DEPLOY:
            raise Conflict(f"The incident is {incident.status}; there is nothing to take over.")
        if incident.taken_over_by_id and incident.taken_over_by_id != person.pk:
            raise Conflict(f"{incident.taken_over_by} has it already.")
        fields = {"taken_over_by": person, "assignee": person, **acknowledged(incident, person)}
        incident.touch(**fields)
        _record(incident, person, "taken_over", f"{person} has it; the agent's hands are off.")
    return incident


def hand_back(*, incident_id: int, person: User) -> Incident:
    """Let the agent go on, from fresh evidence, since the person may have changed anything."""
    with transaction.atomic():
        incident = _entered(incident_id, person, Verb.TAKE_OVER)
        if not incident.taken_over_by_id or incident.status not in BEFORE_DEPLOY:
            raise Conflict("Nobody has taken this incident over.")
        _start_over(incident, taken_over_by=None)
        _record(incident, person, "handed_back", f"{person} handed it back to the agent.")
    return incident


def resolve(*, incident_id: int, person: User, reason: str) -> Incident:
    """End the incident by hand: a person says that it is dealt with."""
    with transaction.atomic():
        incident = _entered(incident_id, person, Verb.RESOLVE)
        if incident.status not in BEFORE_DEPLOY | {Status.REJECTED}:
            raise Conflict(f"The incident is {incident.status}; it cannot be closed by hand now.")
        if not reason.strip():
            raise BadInput("Say how it was dealt with.")
        fields = {"waits_for": "", **acknowledged(incident, person)}
        incident.move(status=Status.CLOSED, step=Step.REPORT, **fields)
        words = f"{person} closed it: “{reason.strip()}”"
        _record(incident, person, "closed", words, reason=reason)
        queue.enqueue(queue.RUN, incident.pk)
    return incident


def reopen(*, incident_id: int, person: User) -> Incident:
    """Start the work on an ended incident again."""
    with transaction.atomic():
        incident = _entered(incident_id, person, Verb.REOPEN)
        if incident.status not in ENDED:
            raise Conflict(f"The incident is {incident.status}; it is open.")
        same = Incident.objects.filter(service=incident.service, fingerprint=incident.fingerprint)
        if same.exclude(pk=incident.pk).exclude(status__in=ENDED).exists():
            raise Conflict("Another incident of the same cause is open.")
        _start_over(incident, reopened=incident.reopened + 1, auto_resolved=False)
        _record(incident, person, "reopened", f"{person} reopened it.")
    return incident


def _start_over(incident: Incident, **changes: Any) -> None:
    incident.move(
        status=Status.INVESTIGATING,
        step=Step.COLLECT,
        attempt=incident.attempt + 1,
        waits_for="",
        **changes,
    )
    queue.enqueue(queue.RUN, incident.pk)


def propose(*, incident_id: int, person: User, actions: object, reason: str) -> Fix:
    """Put a person's own fix up, to be tried and reviewed like any other.

    Raises `BadActions` for actions outside the list and `Conflict` when they do not fit the files.
    """
    typed = actions_from_json(actions)
    with transaction.atomic():
        incident = _entered(incident_id, person, Verb.PROPOSE)
        if incident.status not in WAITING or not incident.diagnoses.filter(
            attempt=incident.attempt
        ):
            raise Conflict(
                f"The incident is {incident.status}; a fix can be proposed when it waits."
            )
        draft = FixDraft(
            actions=typed, explanation=reason or "Proposed by hand.", author=str(person)
        )
        try:
            fix = build_fix(incident, pack_of(incident), draft, proposer=person)
        except PatchError as error:
            places = (place for place, one in enumerate(typed) if one is error.action)
            raise BadActions(str(error), index=next(places, None)) from error
        if incident.fixes.filter(attempt=incident.attempt, digest=fix.digest).exists():
            raise Conflict("This very fix is among the candidates already; choose it there.")
        fix.save()
        _try_only(incident, fix, person)
        _record(
            incident,
            person,
            "proposed",
            f"{person} proposed a fix: {draft.explanation}",
            fix=fix.digest,
        )
    return fix


def choose(*, incident_id: int, person: User, fix_digest: str) -> Fix:
    """Put another candidate up for decision; it is tried first when it was not yet."""
    with transaction.atomic():
        incident = _entered(incident_id, person, Verb.CHOOSE_CANDIDATE)
        never_live = incident.fixes.filter(attempt=incident.attempt, deployment=None)
        fix = never_live.filter(digest=fix_digest).first()
        if fix is None or (not fix.writes and fix.state == Fix.State.REFUSED):
            raise Conflict("There is no such candidate in this attempt.")
        if incident.status not in WAITING:
            raise Conflict(f"The incident is {incident.status}; nothing is up for choice.")
        _try_only(incident, fix, person)
        _record(incident, person, "chosen", f"{person} chose another candidate.", fix=fix_digest)
    return fix


def _try_only(incident: Incident, fix: Fix, person: User) -> None:
    """Have one candidate tried. Who has taken the incident over lets go of it so; for others it stays theirs."""
    holder = incident.taken_over_by
    if holder is not None and holder.pk != person.pk:
        raise Conflict(f"{holder} has it; nothing is tried before they hand it back.")
    others = incident.fixes.filter(attempt=incident.attempt).exclude(pk=fix.pk)
    others.filter(state__in=[Fix.State.CHOSEN, Fix.State.CANDIDATE]).update(
        state=Fix.State.LOST, why="a person put another one up"
    )
    Fix.objects.filter(pk=fix.pk).update(state=Fix.State.CANDIDATE, why="")
    incident.move(status=Status.TESTING, step=Step.TRIAL, waits_for="", taken_over_by=None)
    if holder is not None:
        note(incident, "handed_back", f"{holder} lets the agent try it.", actor=str(holder))
    queue.enqueue(queue.RUN, incident.pk)
