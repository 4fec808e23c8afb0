"""Whom a question goes to is said as it is now, also when a manager changed who may approve after it was put."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from incidents import tasks
from incidents.alerts import escalate
from incidents.models import Decision, Incident, Notification
from incidents.pipeline import asking
from incidents.pipeline.gates import approvers, asked_of
from incidents.states import Status
from teams.models import User
from teams.people import settle_role
from teams.roles import Role
from tests.incidents import made


def question(**fields: Any) -> Incident:
    """Return an incident that waits for an approval, asked of whoever may approve at this moment."""
    incident = made.incident(severity="blocker", **fields)
    fix = made.fix(incident)
    Incident.objects.filter(pk=incident.pk).update(waits_for=asked_of(approvers(incident)))
    Decision.objects.create(incident=incident, attempt=1, fix=fix, kind=Decision.Kind.ASK)
    escalate.begin(incident, now=timezone.now())
    incident.refresh_from_db()
    return incident


def promoted(person: User, role: Role = Role.TEAM_LEAD) -> User:
    person.role = role
    person.save()
    settle_role(person)
    return person


def told(person: User, incident: Incident) -> int:
    return Notification.objects.filter(person=person, incident=incident).count()


def test_who_is_promoted_after_the_question_is_asked_and_told(yash: User, maya: User) -> None:
    incident = question()
    assert incident.waits_for.startswith("Nobody else who is active may approve this")
    promoted(yash)
    tasks.tend()
    before = incident.version
    incident.refresh_from_db()
    assert incident.waits_for == "Yash (team lead) is asked to approve."
    assert incident.version > before
    assert incident.decisions.get().needed_role == Role.TEAM_LEAD
    assert told(yash, incident) == 1
    lines = incident.timeline.values_list("text", flat=True)
    assert "Yash (team lead) is asked to approve." in lines


def test_who_was_told_already_is_not_told_again_because_of_a_colleague(
    shweta: User, yash: User
) -> None:
    incident = question()
    assert told(shweta, incident) == 1
    promoted(yash)
    tasks.tend()
    incident.refresh_from_db()
    assert incident.waits_for == "Shweta or Yash (team lead) is asked to approve."
    assert (told(shweta, incident), told(yash, incident)) == (1, 1)
    lines = list(incident.timeline.filter(kind="notified").values_list("text", flat=True))
    assert lines == ["Notified Shweta (team lead).", "Notified Yash."]


def test_who_may_no_longer_approve_is_no_longer_named(shweta: User, yash: User) -> None:
    promoted(yash)
    incident = question()
    promoted(yash, Role.VIEWER)
    tasks.tend()
    incident.refresh_from_db()
    assert incident.waits_for == "Shweta (team lead) is asked to approve."
    assert incident.timeline.filter(kind="notified").count() == 1  # and nobody is told for it


def test_a_question_in_somebodys_hands_disturbs_nobody_else(shweta: User, yash: User) -> None:
    incident = question(acknowledged_at=timezone.now(), acknowledged_by=shweta)
    promoted(yash)
    tasks.tend()
    assert told(yash, incident) == 0


def test_what_a_person_has_in_hand_asks_nobody_anew(shweta: User, yash: User) -> None:
    incident = question(taken_over_by=shweta)
    words = incident.waits_for
    promoted(yash)
    tasks.tend()
    incident.refresh_from_db()
    assert incident.waits_for == words


def test_nothing_is_said_anew_while_nothing_changed(shweta: User) -> None:
    incident = question()
    tasks.tend()
    was = (incident.timeline.count(), Incident.objects.get().version)
    tasks.tend()
    assert (incident.timeline.count(), Incident.objects.get().version) == was


def test_an_incident_that_asks_nobody_by_name_keeps_its_words(shweta: User) -> None:
    words = "The last fix was undone. A person has to look."
    incident = made.incident(status=Status.ESCALATED, waits_for=words)
    tasks.tend()
    incident.refresh_from_db()
    assert incident.waits_for == words


def test_an_incident_that_went_on_meanwhile_is_left_alone(shweta: User) -> None:
    seen = question()
    Incident.objects.get().touch(waits_for="Asked anew, of others.")
    assert not asking._ask(seen, [], timezone.now())
    assert Incident.objects.get().waits_for == "Asked anew, of others."
