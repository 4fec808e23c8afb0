from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from incidents.alerts import duty, escalate
from incidents.models import Comment, Escalation, Incident, Notification, OnCall
from incidents.pipeline import people
from incidents.states import Status
from incidents.timeline import note
from teams.models import User
from tests.incidents import made
from tests.incidents.made import NOON


def told(person: User) -> int:
    return Notification.objects.filter(person=person).count()


def tick(minutes: float) -> datetime:
    now = NOON + timedelta(minutes=minutes)
    escalate.escalate_waiting(now=now)
    return now


def test_a_question_climbs_role_by_role_until_somebody_reacts(
    shweta: User, yash: User, bhumika: User, maya: User
) -> None:
    incident = made.incident(severity="low")
    steps = []
    for minute in (0, 1, 4.9, 5, 9, 10, 15, 20, 25):
        tick(minute)
        steps.append([told(person) for person in (bhumika, yash, shweta, maya)])
    assert steps == [
        [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0],
        [1, 1, 0, 0], [1, 1, 0, 0],
        [1, 1, 1, 0],
        [1, 1, 1, 1],
        [1, 1, 1, 1], [1, 1, 1, 1],
    ]  # fmt: skip
    lines = list(incident.timeline.filter(kind="notified").values_list("text", flat=True))
    assert lines[0] == "Notified Bhumika (junior dev)."
    assert lines[1] == "Notified Yash (senior dev) after 5 min without a reaction."
    assert lines[-1] == "Everybody who could answer was notified; nobody has reacted."
    assert len(lines) == 5


def test_acknowledging_stops_the_climb(shweta: User, yash: User, bhumika: User) -> None:
    incident = made.incident(severity="low")
    tick(0)
    people.acknowledge(incident_id=incident.pk, person=bhumika)
    Incident.objects.filter(pk=incident.pk).update(acknowledged_at=NOON + timedelta(minutes=2))
    tick(6)
    tick(20)
    assert told(yash) == 0
    assert Escalation.objects.get().first_acknowledged_at == NOON + timedelta(minutes=2)


def acknowledged(incident: Incident, person: User, minute: float) -> None:
    at = NOON + timedelta(minutes=minute)
    Incident.objects.filter(pk=incident.pk).update(acknowledged_at=at, acknowledged_by=person)


def is_acknowledged(incident: Incident) -> bool:
    return Incident.objects.get(pk=incident.pk).acknowledged_at is not None


def test_an_acknowledgement_without_progress_lapses_and_the_climb_starts_over(
    shweta: User, yash: User, bhumika: User
) -> None:
    incident = made.incident(severity="low")
    tick(0)
    acknowledged(incident, bhumika, 1)
    tick(30)
    assert is_acknowledged(incident)
    tick(31)
    assert not is_acknowledged(incident)
    assert incident.timeline.filter(kind="lapsed").get().text.startswith("Bhumika acknowledged")
    assert told(bhumika) == 2
    tick(37)
    assert told(yash) == 1
    assert Escalation.objects.get().first_acknowledged_at == NOON + timedelta(minutes=1)


def test_progress_keeps_an_acknowledgement(shweta: User, bhumika: User) -> None:
    incident = made.incident(severity="low")
    tick(0)
    acknowledged(incident, bhumika, 1)
    entry = note(incident, "comment", "Bhumika commented.", actor="Bhumika")
    type(entry).objects.filter(pk=entry.pk).update(at=NOON + timedelta(minutes=25))
    tick(40)
    assert is_acknowledged(incident)
    tick(56)
    assert not is_acknowledged(incident)
    assert Comment.objects.count() == 0


def test_what_no_longer_waits_climbs_no_further(shweta: User, yash: User, bhumika: User) -> None:
    incident = made.incident(severity="low")
    tick(0)
    Incident.objects.filter(pk=incident.pk).update(status=Status.DEPLOYING)
    tick(6)
    assert told(yash) == 0
    assert Escalation.objects.get().ended_at is not None
    Incident.objects.filter(pk=incident.pk).update(status=Status.ESCALATED)
    tick(7)
    assert told(bhumika) == 2


def test_a_new_attempt_asks_afresh(shweta: User, bhumika: User) -> None:
    incident = made.incident(severity="low")
    tick(0)
    Incident.objects.filter(pk=incident.pk).update(attempt=2)
    tick(1)
    assert told(bhumika) == 2
    assert Escalation.objects.filter(ended_at=None).get().attempt == 2


def test_two_workers_tell_a_group_once(shweta: User) -> None:
    incident = made.incident(severity="blocker")
    escalate.begin(incident, now=NOON)
    stale = Escalation.objects.get()
    stale.level = 0
    assert not stale.climb(to=1, next_at=NOON)
    assert told(shweta) == 1


def test_the_first_on_call_changes_each_monday(shweta: User, yash: User, bhumika: User) -> None:
    service = made.service()
    for position, person in enumerate([shweta, yash, bhumika]):
        OnCall.objects.create(service=service, person=person, position=position)
    firsts = [
        duty.order_of(service, date(2026, 12, 28) + timedelta(days=days))[0] for days in range(21)
    ]
    assert [firsts[0]] * 7 + [firsts[7]] * 7 + [firsts[14]] * 7 == firsts
    assert {firsts[0], firsts[7], firsts[14]} == {shweta, yash, bhumika}


def test_a_service_without_an_order_has_the_common_one(shweta: User, yash: User) -> None:
    own, other = made.service(), made.service()
    OnCall.objects.create(person=yash)
    OnCall.objects.create(service=own, person=shweta)
    assert duty.order_of(own, date(2026, 3, 2)) == [shweta]
    assert duty.order_of(other, date(2026, 3, 2)) == [yash]


def test_who_left_is_passed_over(shweta: User, yash: User) -> None:
    service = made.service()
    for person in (shweta, yash):
        OnCall.objects.create(service=service, person=person)
    User.objects.filter(pk=yash.pk).update(is_active=False)
    for days in (0, 7):
        assert duty.order_of(service, date(2026, 3, 2) + timedelta(days=days)) == [shweta]


def test_the_one_on_call_is_told_first_beside_who_may_approve(
    shweta: User, yash: User, bhumika: User, maya: User
) -> None:
    service = made.service()
    OnCall.objects.create(service=service, person=bhumika)
    incident = made.incident(service, severity="blocker")
    groups = duty.ladder(incident, NOON.date())
    assert [[person.name for person in group.people] for group in groups] == [
        ["Bhumika", "Shweta"], ["Maya"],
    ]  # fmt: skip
    assert groups[0].words == "Bhumika (on call) and Shweta (team lead)"


def test_the_job_costs_the_same_for_many_quiet_incidents(
    shweta: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(3):
        made.incident()
    tick(0)
    with django_assert_max_num_queries(40) as few:
        tick(1)
    for _ in range(20):
        made.incident()
    tick(1)
    with django_assert_max_num_queries(len(few)):
        tick(2)
