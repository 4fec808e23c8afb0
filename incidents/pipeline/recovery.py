"""A service that is healthy again before a fix of its incident was deployed: the incident ends, and says what helped."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from incidents import queue
from incidents.models import Deployment, Incident
from incidents.pipeline import flapping
from incidents.states import BEFORE_DEPLOY, Status, Step
from incidents.timeline import note
from monitoring.models import HealthChange

AFTER_UNDO = "The service is healthy again after our fix was undone."


def recover(change: HealthChange) -> None:
    """End the incidents of a service that is healthy again before anything of ours was deployed, unless it flaps."""
    # By when it failed and not by when we noticed: a failure may be over before anybody looked at its change.
    failed_before = Q(failed_since__lte=change.at) | Q(
        failed_since=None, detected_at__lte=change.at
    )
    waiting = Incident.objects.select_for_update(of=("self",)).filter(
        failed_before, service=change.service, status__in=BEFORE_DEPLOY
    )
    for incident in waiting.select_related("service"):
        if flapping.is_flapping(change.service, now=change.at):
            flapping.hold(incident, now=change.at)
        else:
            _end(incident, _what_helped(incident))


def _what_helped(incident: Incident) -> str:
    """Return since when a service is healthy for which this incident's own fix did nothing."""
    if incident.deployments.filter(state=Deployment.State.UNDONE).exists():
        return AFTER_UNDO
    live = Deployment.objects.filter(
        state__in=[Deployment.State.RESTARTED, Deployment.State.HEALTHY],
        incident__service=incident.service_id,
        written_at__gte=incident.detected_at,
    )
    helped = live.exclude(incident=incident).order_by("-id").first()
    if helped is None:
        return "The service is healthy again without us."
    return f"The service is healthy again since the fix of incident {helped.incident_id} is live."


def end_steady(*, now: datetime) -> None:
    """End the incidents that were held while their service went up and down, once it has been well for long enough."""
    for incident_id in flapping.steady_again(now=now):
        with transaction.atomic():
            held = Incident.objects.select_for_update().filter(
                pk=incident_id, status__in=BEFORE_DEPLOY
            )
            for incident in held:
                _end(incident, "The service has been steady and well for a while, without us.")


def _end(incident: Incident, text: str) -> None:
    incident.move(
        status=Status.RECOVERED, step=Step.LEARN, waits_for="", lease=None, lease_until=None
    )
    note(incident, "recovered", text)
    queue.enqueue(queue.RUN, incident.pk)
