"""Step 10: is the service healthy again? If not, undo and escalate. The watch window afterwards is judged here too."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from incidents import queue
from incidents.models import Deployment, Incident
from incidents.pipeline.debts import record_restart
from incidents.pipeline.gates import locked
from incidents.pipeline.guards import became_worse
from incidents.pipeline.packs import evidence_of, exchange_from
from incidents.pipeline.tools import Tools
from incidents.pipeline.undo import undo
from incidents.states import OPEN, Status, Step
from incidents.timeline import note
from monitoring import operations, snapshots, traffic
from monitoring.judging import Question, judge
from monitoring.ports import TargetReader
from monitoring.values import Health, HttpRequest, ServiceSpec, Verdict

State = Deployment.State
HELD = "healthy"
CHECKS_KEPT = 20


def verify(incident: Incident, tools: Tools) -> None:
    """Probe until the service answers healthy as often as its recovery needs, or the time is over; else undo.

    An incident that arrives here as ROLLED_BACK (a failed write, a relapse in the watch window) is undone at once.
    """
    started = timezone.now()
    deployment = incident.deployments.latest("id")
    if incident.status == Status.ROLLED_BACK:
        _undone(incident, deployment, tools, _why_rolled_back(deployment))
        return
    checks, healthy = _probe_until_healthy(incident, tools)
    Deployment.objects.filter(pk=deployment.pk).update(checks=checks)
    if healthy:
        _resolved(incident, deployment, started)
        return
    why = f"not healthy after {settings.VERIFY_TIMEOUT_SECONDS:.0f} s: {checks[-1]['seen']}"
    with transaction.atomic():
        incident.move(status=Status.ROLLED_BACK, step=Step.VERIFY)
        note(incident, "not_healthy", f"The fix did not help: {why}.", started=started)
    _undone(incident, deployment, tools, why)


def _probe_until_healthy(incident: Incident, tools: Tools) -> tuple[list[dict[str, Any]], bool]:
    """Look again and again until it was well as often in a row as its recovery needs, or the time is over.

    Return the last looks, at least one, and whether it is healthy.
    """
    service = incident.service
    spec = service.spec()
    reader = tools.reader(spec)
    deadline = tools.now() + timedelta(seconds=settings.VERIFY_TIMEOUT_SECONDS)
    checks: list[dict[str, Any]] = []
    in_row = 0
    while in_row < service.successes_before_recovery:
        if checks:
            if tools.now() >= deadline:
                return checks[-CHECKS_KEPT:], False
            tools.wait(settings.VERIFY_PROBE_GAP_SECONDS)
        seen = _look(incident, spec, reader)
        in_row = in_row + 1 if _well(incident, seen) else 0
        checks.append({"at": tools.now().isoformat(), "seen": _words(seen)})
    return checks[-CHECKS_KEPT:], True


def _look(incident: Incident, spec: ServiceSpec, reader: TargetReader) -> Verdict:
    """Ask the health path, and when that is well, what failed before; return the first bad verdict."""
    verdict = Verdict(health=Health.UNKNOWN)
    for request in [HttpRequest(path=spec.health_path), *_failed_requests(incident)]:
        is_health = request.path == spec.health_path
        question = Question(request=request, slow_ms=spec.slow_ms, health=is_health)
        verdict = judge(reader.request(spec, request, spec.timeout), question)
        if not _well(incident, verdict):
            return verdict
    return verdict


def _well(incident: Incident, verdict: Verdict) -> bool:
    """Say whether a verdict is good enough: healthy, or degraded by something else than this incident's cause."""
    if verdict.health == Health.DEGRADED:
        return bool(str(verdict.symptom) != incident.failure["symptom"])
    return verdict.health == Health.HEALTHY


def _failed_requests(incident: Incident) -> list[HttpRequest]:
    """Return the failing requests that may be repeated on the live service: reads only."""
    failing = [exchange_from(raw).request for raw in evidence_of(incident).failing]
    return [request for request in failing if request.method in {"GET", "HEAD"}][:5]


def _words(verdict: Verdict) -> str:
    return (
        f"{verdict.health} {verdict.error_type or verdict.symptom} {verdict.detail[:120]}".strip()
    )


def _resolved(incident: Incident, deployment: Deployment, started: datetime) -> None:
    now = timezone.now()
    watch = timedelta(seconds=incident.service.watch_seconds)
    with transaction.atomic():
        Deployment.objects.filter(pk=deployment.pk).update(
            state=State.HEALTHY, healthy_at=now, watch_until=now + watch, outcome=HELD
        )
        incident.move(
            status=Status.RESOLVED,
            step=Step.REPORT,
            auto_resolved=_without_people(incident, deployment),
        )
        record_restart(incident, deployment.fix, now=now)
        note(incident, "verified", "Healthy again; watching for a relapse.", started=started)
    traffic.forgive(service_id=incident.service_id, now=deployment.written_at or now)
    operations.request_probe(incident.service_id, now=timezone.now())


def _without_people(incident: Incident, deployment: Deployment) -> bool:
    """Say whether truly no person had a hand in it, in any attempt."""
    return deployment.automatic and not incident.decisions.filter(actor__isnull=False).exists()


def _why_rolled_back(deployment: Deployment) -> str:
    said = deployment.outcome
    return said if said and said != HELD else "it failed again in the watch window"


def _undone(incident: Incident, deployment: Deployment, tools: Tools, why: str) -> None:
    started = timezone.now()
    outcome = undo(incident, deployment, tools, why=why)
    with transaction.atomic():
        text = f"The last fix was {outcome}. A person has to look."
        incident.move(status=Status.ESCALATED, step=Step.LEARN, waits_for=text[:200])
        note(incident, "undone", text, started=started)
    operations.request_probe(incident.service_id, now=timezone.now())


def settle_watched(*, now: datetime) -> list[int]:
    """Undo what became worse in its watch window, and end the windows that passed well; return those deployments' ids.

    The tree of a deployment that held becomes last known good.
    """
    watched = Deployment.objects.filter(
        state=State.HEALTHY, settled_at=None, watch_until__isnull=False
    ).select_related("incident__service")
    settled = []
    for deployment in watched:
        if why := became_worse(deployment, now=now):
            _relapse(deployment, why)
        elif deployment.watch_until and deployment.watch_until <= now and _settle(deployment, now):
            settled.append(deployment.pk)
    return settled


def _settle(deployment: Deployment, now: datetime) -> bool:
    incident = deployment.incident
    with transaction.atomic():
        claim = Deployment.objects.filter(pk=deployment.pk, state=State.HEALTHY, settled_at=None)
        if not claim.update(settled_at=now):
            return False
        note(incident, "settled", "The watch window passed without a relapse.")
        Incident.objects.filter(pk=incident.pk, step=Step.WAIT).update(step=Step.LEARN)
    snapshots.capture(service=incident.service, reason="deployment held", now=now)
    return True


def _relapse(deployment: Deployment, why: str) -> None:
    """Reopen the incident of a deployment after which the service became worse; the next run undoes it."""
    with transaction.atomic():
        incident = locked(deployment.incident_id)
        if incident.status != Status.RESOLVED or _is_open_elsewhere(incident):
            return
        watched = Deployment.objects.filter(pk=deployment.pk, state=State.HEALTHY, settled_at=None)
        if not watched.update(outcome=f"it became worse in the watch window: {why}"):
            return
        incident.move(
            status=Status.ROLLED_BACK,
            step=Step.VERIFY,
            reopened=incident.reopened + 1,
            auto_resolved=False,
            lease=None,
        )
        note(incident, "relapse", f"Worse than before the fault: {why}. The fix is undone.")
        queue.enqueue(queue.RUN, incident.pk)


def _is_open_elsewhere(incident: Incident) -> bool:
    same = Incident.objects.filter(service=incident.service, fingerprint=incident.fingerprint)
    return same.filter(status__in=OPEN).exists()
