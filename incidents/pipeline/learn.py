"""Step 12: keep what the decision and the outcome say about the next fix of this kind."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from incidents.models import Decision, Deployment, Incident, LearningRecord
from incidents.pipeline.tools import Tools
from incidents.queries.lessons import kind_of
from incidents.states import Status, Step
from incidents.timeline import tell

State = Deployment.State
DECIDED = [
    Decision.Kind.AUTO,
    Decision.Kind.APPROVE,
    Decision.Kind.OVERRIDE,
    Decision.Kind.REJECT,
    Decision.Kind.REQUEST_CHANGES,
]


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A record to keep: its kind, and whether it held (None: not known yet)."""

    kind: str
    held: bool | None


def learn(incident: Incident, tools: Tools) -> None:
    """Write every decision and what is known of every outcome, once each, and rest.

    It runs again when the watch window has passed or a relapse was seen: the record of an outcome is then settled.
    """
    with transaction.atomic():
        decided = incident.decisions.filter(kind__in=DECIDED, fix__isnull=False)
        for decision in decided.select_related("fix"):
            _keep(incident, decision, _judgement(decision))
        for deployment in incident.deployments.select_related("decision__fix"):
            _settle(incident, deployment.decision, _outcome(deployment))
        incident.move(status=Status(incident.status), step=Step.WAIT)
        tell(incident)


def _judgement(decision: Decision) -> Lesson:
    """A yes is judged by its outcome; a no by itself."""
    return Lesson(kind=decision.kind, held=None if decision.permits_deploy else False)


def _outcome(deployment: Deployment) -> Lesson | None:
    """Return what became of a deployment as far as it is known."""
    if deployment.state in {State.UNDONE, State.UNDO_FAILED}:
        return Lesson(kind="relapsed" if deployment.healthy_at else "undone", held=False)
    if deployment.healthy_at is None:
        return None
    return Lesson(kind="verified", held=True if deployment.settled_at else None)


def _settle(incident: Incident, decision: Decision, lesson: Lesson | None) -> None:
    """Write an outcome, or bring the one of this attempt up to date: "verified" may become "relapsed"."""
    if lesson is None:
        return
    known = LearningRecord.objects.filter(
        incident=incident, attempt=decision.attempt, kind__in=LearningRecord.OUTCOMES
    )
    if not known.update(kind=lesson.kind, held=lesson.held):
        _keep(incident, decision, lesson)


def _keep(incident: Incident, decision: Decision, lesson: Lesson) -> None:
    if decision.fix is None:
        return
    LearningRecord.objects.get_or_create(
        incident=incident,
        attempt=decision.attempt,
        kind=lesson.kind,
        defaults={
            "service_slug": incident.service.slug,
            "category": incident.category,
            "fingerprint": incident.fingerprint,
            "fix_kind": kind_of(decision.fix),
            "confidence": _promised(incident, decision),
            "held": lesson.held,
        },
    )


def _promised(incident: Incident, decision: Decision) -> float:
    """Return the confidence that was shown for the fix: a rejection itself carries none."""
    if decision.score:
        return decision.score
    asked = incident.decisions.filter(fix=decision.fix, score__gt=0).last()
    return asked.score if asked else 0.0
