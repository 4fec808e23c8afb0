"""Who may not answer a question, and which question nobody can answer any more."""

from __future__ import annotations

import pytest
from django.utils import timezone

from incidents.models import Decision, Deployment, Incident
from incidents.pipeline import approvals
from incidents.pipeline.gates import Conflict, policy_of
from monitoring.models import FaultInjection, Service, ServiceHealth
from teams.models import User
from tests.incidents import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked() -> Incident:
    """Return an incident whose question counts, of a service that is no demo."""
    incident = rows.asked(rows.shop(is_demo=False))
    ServiceHealth.objects.update(state="down")
    Decision.objects.update(policy_digest=policy_of(incident.service).digest)
    return incident


def _approve(incident: Incident, person: User) -> str:
    """Return the kind of the decision that it led to, or why it was refused."""
    try:
        decision = approvals.authorise(
            incident_id=incident.pk, fix_digest=incident.fixes.get().digest, person=person
        )
    except Conflict as refused:
        return str(refused)
    return decision.kind


def test_a_question_that_counts_is_answered(asked: Incident, shweta: User) -> None:
    assert _approve(asked, shweta) == Decision.Kind.APPROVE


def test_whoever_injected_a_fault_does_not_let_its_cure_go_live_outside_a_demo(
    asked: Incident, shweta: User
) -> None:
    fault = FaultInjection.objects.create(service=asked.service, fault="bug", actor=shweta)
    Incident.objects.update(caused_by=fault)
    assert _approve(asked, shweta).startswith("You injected this fault")
    Service.objects.update(is_demo=True)
    assert _approve(asked, shweta) == Decision.Kind.APPROVE


def test_a_voided_question_is_not_answered(asked: Incident, shweta: User) -> None:
    Decision.objects.update(voided_at=timezone.now(), void_reason="the files changed")
    assert _approve(asked, shweta) == "Nobody was asked about this fix."


def test_a_fix_that_went_live_is_not_approved_again(asked: Incident, shweta: User) -> None:
    fix, question = asked.fixes.get(), asked.decisions.get()
    Deployment.objects.create(incident=asked, fix=fix, decision=question, state="undone")
    assert _approve(asked, shweta).startswith("This fix went live already")
