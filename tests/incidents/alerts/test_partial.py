"""Who may not let a fix go live is not asked to."""

from __future__ import annotations

from incidents.alerts import duty
from incidents.pipeline.gates import approvers, asked_of
from monitoring.models import FaultInjection
from teams.models import User
from tests.incidents import made
from tests.incidents.made import NOON


def test_who_proposed_the_fix_is_not_asked_about_it(shweta: User, yash: User) -> None:
    incident = made.incident(severity="medium")
    made.fix(incident, proposer=yash)
    assert approvers(incident) == [shweta]
    assert asked_of(approvers(incident)) == "Shweta (team lead) is asked to approve."
    groups = duty.ladder(incident, NOON.date())
    assert yash not in [person for group in groups for person in group.people]


def test_who_injected_the_fault_is_not_asked_outside_a_demo(shweta: User, yash: User) -> None:
    service = made.service()
    fault = FaultInjection.objects.create(service=service, fault="bug", actor=yash)
    incident = made.incident(service, severity="medium", caused_by=fault)
    assert approvers(incident) == [shweta]
    service.is_demo = True
    service.save()
    incident.refresh_from_db()
    assert approvers(incident) == [yash, shweta]


def test_a_candidate_that_lost_makes_nobody_partial(shweta: User, yash: User) -> None:
    incident = made.incident(severity="medium")
    made.fix(incident, proposer=yash, state="lost")
    assert approvers(incident) == [yash, shweta]
