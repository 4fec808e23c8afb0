"""Step 12: keep what the decision and the outcome say about the next fix of this kind."""

from __future__ import annotations

from django.db import transaction

from incidents.models import Decision, Deployment, Incident, LearningRecord
from incidents.pipeline.lessons import kind_of
from incidents.pipeline.tools import Tools
from incidents.states import Status, Step
from incidents.timeline import tell

State = Deployment.State


def learn(incident: Incident, tools: Tools) -> None:
    """Write what is known by now - the person's decision, the outcome - once each, and rest."""
    with transaction.atomic():
        for decision in incident.decisions.filter(actor__isnull=False, fix__isnull=False):
            approved = decision.permits_deploy
            _keep(incident, decision, decision.kind, held=None if approved else False)
        for deployment in incident.deployments.select_related("decision__fix"):
            outcome = _outcome(deployment)
            if outcome is not None:
                kind, held = outcome
                _keep(incident, deployment.decision, kind, held=held)
        incident.move(status=Status(incident.status), step=Step.WAIT)
        tell(incident)


def _outcome(deployment: Deployment) -> tuple[str, bool] | None:
    """Return what became of a deployment once that is known: it held through its watch window, or was undone."""
    if deployment.state in {State.UNDONE, State.UNDO_FAILED}:
        return ("relapsed" if deployment.healthy_at else "undone"), False
    return ("held", True) if deployment.settled_at else None


def _keep(incident: Incident, decision: Decision, kind: str, *, held: bool | None) -> None:
    if decision.fix is None:
        return
    LearningRecord.objects.get_or_create(
        incident=incident,
        attempt=decision.attempt,
        kind=kind,
        defaults={
            "service_slug": incident.service.slug,
            "category": incident.category,
            "fingerprint": incident.fingerprint,
            "fix_kind": kind_of(decision.fix),
            "confidence": decision.score,
            "held": held,
        },
    )
