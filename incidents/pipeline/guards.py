"""What guards a switch: how good the service was before the fault, a last trial, and what became worse afterwards."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from incidents.models import Decision, Deployment, Fix, Incident
from incidents.pipeline.laboratory import laboratory, try_fix
from incidents.pipeline.tools import Tools
from incidents.timeline import note
from monitoring import quality
from monitoring.models import FaultInjection, ServiceHealth
from monitoring.ports import TargetError
from monitoring.values import Health, ServiceSpec

BEFORE_THE_FAULT = timedelta(minutes=10)


def before_the_switch(incident: Incident, spec: ServiceSpec, tools: Tools) -> dict[str, Any]:
    """Return what a deployment is compared with and undone to: quality before the fault, and the process as it is."""
    fault = incident.failed_since or incident.detected_at
    was = quality.measured(incident.service, since=fault - BEFORE_THE_FAULT, until=fault)
    try:
        phase = tools.reader(spec).process(spec).phase
    except TargetError:
        phase = ""
    return {**was.as_json(), "process": phase}


def stale_proof(incident: Incident, decision: Decision | None, tools: Tools) -> str:
    """Repeat a trial that is older than TRIAL_VALID_SECONDS on the data of now; return why it did not pass, or "".

    Between a question at night and an approval in the morning data, certificates and neighbours change. A lead's override
    needs no passed trial, so none is repeated.
    """
    if decision is None or decision.fix is None or decision.kind == Decision.Kind.OVERRIDE:
        return ""
    fix: Fix = decision.fix
    age = timezone.now() - fix.trial.created_at
    if age <= timedelta(seconds=settings.TRIAL_VALID_SECONDS):
        return ""
    started = timezone.now()
    with laboratory(incident, tools) as room:
        receipt = try_fix(room, fix)
    if receipt.passed is not True:
        return f"the trial, repeated right before the switch, did not pass: {receipt.reason}"
    text = "The fixed version was started once more, on the data of now, and passed."
    note(incident, "shadow", text, started=started)
    return ""


def is_healthy_again(incident: Incident) -> bool:
    """Say whether probing has found the service healthy since: then nothing of ours is needed any more."""
    return ServiceHealth.objects.filter(
        service_id=incident.service_id, state=Health.HEALTHY, since__gte=incident.detected_at
    ).exists()


def became_worse(deployment: Deployment, *, now: datetime) -> str:
    """Return how a watched service became worse than before the fault, or an empty text (settings WATCH_*).

    A fault that somebody injected since is news and no relapse, as in detect: undoing the fix for it would put the first
    fault back beside the second.
    """
    if deployment.healthy_at is None or not deployment.before.get("count"):
        return ""
    injected = FaultInjection.objects.filter(
        service_id=deployment.incident.service_id, at__gte=deployment.healthy_at
    )
    if injected.exists():
        return ""
    was = quality.Quality(
        **{name: deployment.before[name] for name in quality.Quality.__dataclass_fields__}
    )
    service = deployment.incident.service
    limits = quality.Limits(
        error_share=settings.WATCH_ERROR_SHARE,
        factor=settings.WATCH_LATENCY_FACTOR,
        least_ms=settings.WATCH_LATENCY_LEAST_MS,
        least_count=settings.WATCH_LEAST_SAMPLES,
    )
    until = min(now, deployment.watch_until or now)  # what fails after the window is not its fault
    since = quality.measured(service, since=deployment.healthy_at, until=until)
    return quality.worse(was, since, limits)
