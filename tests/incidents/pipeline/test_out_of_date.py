"""Who asks anew because a question is out of date has said nothing against the fix."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from incidents.models import Decision, Fix, Incident
from incidents.pipeline import approvals
from incidents.pipeline.gates import policy_of
from monitoring.models import Service
from teams.models import User
from tests.incidents import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident() -> Incident:
    """Return one whose question counts: asked on the policy of now."""
    asked = rows.asked(rows.shop())
    Decision.objects.update(policy_digest=policy_of(asked.service).digest)
    return asked


def _send_back(incident: Incident, person: User) -> tuple[str, str]:
    """Return what became of the fix, and which digest later proposals leave out."""
    said = approvals.request_changes(
        incident_id=incident.pk, person=person, reason="Judge it again"
    )
    return Fix.objects.get().state, said.fix_digest


def test_a_wish_for_changes_leaves_the_fix_out(incident: Incident, shweta: User) -> None:
    digest = incident.fixes.get().digest
    assert _send_back(incident, shweta) == (Fix.State.REFUSED, digest)


def test_a_changed_policy_does_not_cost_the_fix(incident: Incident, shweta: User) -> None:
    Service.objects.update(limit_per_service=99)
    state, refused = _send_back(incident, shweta)
    assert state != Fix.State.REFUSED
    assert not refused


def test_an_expired_question_does_not_cost_the_fix(incident: Incident, shweta: User) -> None:
    Decision.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    state, refused = _send_back(incident, shweta)
    assert state != Fix.State.REFUSED
    assert not refused
