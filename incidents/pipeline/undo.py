"""Puts the kept bytes of a deployment back (law 3). Verification and the watch window both come here."""

from __future__ import annotations

from django.utils import timezone

from incidents.models import Deployment, Incident
from incidents.pipeline.fixes import stored_bytes
from incidents.pipeline.tools import Tools
from monitoring.models import Service, ServiceHealth
from monitoring.ports import TargetError

State = Deployment.State


def undo(incident: Incident, deployment: Deployment, tools: Tools, *, why: str) -> str:
    """Write the kept bytes and environment again, restart, and record the outcome; return it in words.

    Repeating it is harmless: the bytes are the same each time. A failure is recorded as such and never raised.
    """
    try:
        _put_back(incident, deployment, tools)
        state, outcome = State.UNDONE, f"undone: {why}"
    except TargetError as error:
        state, outcome = State.UNDO_FAILED, f"the undo failed: {error} (needed because {why})"
    Deployment.objects.filter(pk=deployment.pk).update(
        state=state, outcome=outcome, undone_at=timezone.now(), watch_until=None
    )
    return outcome


def _put_back(incident: Incident, deployment: Deployment, tools: Tools) -> None:
    service = incident.service
    files = stored_bytes(deployment.kept)
    if files:
        tools.writer(service.spec()).write(service.spec(), files)
    if deployment.kept_environment is not None:
        set_environment(service, deployment.kept_environment)
    if files or deployment.kept_environment is not None:
        restart(service, tools)
    elif deployment.before.get("process") == "stopped":
        tools.writer(service.spec()).stop(service.spec())
    else:  # a restart that left nothing running is undone too; starting what runs is harmless
        tools.writer(service.spec()).start(service.spec())


def restart(service: Service, tools: Tools) -> None:
    """Restart as planned; one that hangs is not given the time that requests in hand of a good one need to end."""
    health = ServiceHealth.objects.filter(service=service).select_related("service").first()
    tools.writer(service.spec()).restart(service.spec(), hung=bool(health and health.hangs))


def set_environment(service: Service, environment: dict[str, str]) -> None:
    """Store a service's environment and let this object know it too."""
    Service.objects.filter(pk=service.pk).update(environment=environment)
    service.environment = environment
