"""Step 9: keep the old bytes, write the new ones, restart. Every part may be repeated after a kill.

`_prepare` is the one door: auto, approved and overridden fixes all pass its checks of role, state and digests, in the
transaction that writes the Deployment row. No row, no write.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from incidents.models import Decision, Deployment, Incident, LostLease
from incidents.pipeline.fixes import base_digest, written_bytes
from incidents.pipeline.gates import forbids_change
from incidents.pipeline.guards import before_the_switch, stale_proof
from incidents.pipeline.permission import HEALTHY_AGAIN, against, permission_of
from incidents.pipeline.tools import Tools
from incidents.pipeline.undo import restart, set_environment
from incidents.states import Status, Step
from incidents.timeline import note
from monitoring.models import Service
from monitoring.ports import TargetError

State = Deployment.State


def deploy(incident: Incident, tools: Tools) -> None:
    """Carry the permitted fix out: a row with the kept bytes, then the files, then the restart.

    Drift of files, environment, proof or policy voids the decision and starts the work over; a write that fails goes to
    verification, which puts the kept bytes back.
    """
    started = timezone.now()
    deployment = incident.deployments.filter(state__in=Deployment.RUNNING).first() or _first(
        incident, tools
    )
    if deployment is None or _was_called_off(incident, deployment, tools):
        return
    try:
        if deployment.state == State.PREPARED:
            _write(incident, deployment, tools)
        if deployment.state == State.WRITTEN:
            _restart(incident, deployment, tools)
    except TargetError as error:
        _failed(incident, deployment, str(error))
        return
    with transaction.atomic():
        incident.move(status=Status.VERIFYING, step=Step.VERIFY)
        note(incident, "deployed", "The fix is in place; verifying.", started=started)


def _first(incident: Incident, tools: Tools) -> Deployment | None:
    """Prepare the deployment; a worker whose lease ran out in that moment meets the row of the next one, and stops."""
    try:
        return _prepare(incident, tools)
    except IntegrityError as error:
        raise LostLease(f"incident {incident.pk} is being deployed by another worker") from error


def _prepare(incident: Incident, tools: Tools) -> Deployment | None:
    """Check that what was decided is what will run, and write the Deployment row before the first byte."""
    spec = Service.objects.get(pk=incident.service_id).spec()
    try:
        tree = tools.reader(spec).read_tree(spec)
    except TargetError as error:
        _void(incident, f"the files cannot be read: {error}")
        return None
    stale = against(incident, permission_of(incident), tree) or stale_proof(
        incident, permission_of(incident), tools
    )
    before = before_the_switch(incident, spec, tools)
    with transaction.atomic():
        decision = permission_of(incident)
        why = stale or against(incident, decision, tree)
        if why or decision is None or decision.fix is None:
            _void(incident, why)
            return None
        fix = decision.fix
        deployment = Deployment.objects.create(
            incident=incident,
            fix=fix,
            decision=decision,
            automatic=decision.kind == Decision.Kind.AUTO,
            kept={path: digests["before"] for path, digests in fix.writes.items()},
            kept_environment=dict(spec.environment) if fix.environment is not None else None,
            before=before,
        )
        note(incident, "deploying", "The old bytes are kept; deploying.")
    return deployment


def _void(incident: Incident, why: str) -> None:
    """Void the decisions of this attempt; start over, or wait for a person while changes are forbidden."""
    with transaction.atomic():
        incident.decisions.filter(attempt=incident.attempt, voided_at=None).update(
            voided_at=timezone.now(), void_reason=why
        )
        note(incident, "voided", f"Not deployed: {why}.")
        if forbids_change(incident):
            text = f"No change is allowed now: {why}."
            incident.move(status=Status.ESCALATED, step=Step.WAIT, waits_for=text[:200])
        else:
            incident.move(
                status=Status.INVESTIGATING, step=Step.COLLECT, attempt=incident.attempt + 1
            )
        if why == HEALTHY_AGAIN:
            incident.move(status=Status.RECOVERED, step=Step.LEARN, waits_for="")


def _was_called_off(incident: Incident, deployment: Deployment, tools: Tools) -> bool:
    """End a deployment of which no byte is written yet when changes are forbidden by now (law 7), and say so.

    Between the row and the first byte a worker may be killed and somebody may press the kill switch. A write that may
    have begun is finished instead.
    """
    if deployment.state != State.PREPARED or not (why := forbids_change(incident)):
        return False
    service = Service.objects.get(pk=incident.service_id)
    try:
        tree = tools.reader(service.spec()).read_tree(service.spec())
    except TargetError:
        return False
    if base_digest(tree, service.environment) != deployment.fix.base_digest:
        return False
    with transaction.atomic():
        # No byte was written: nothing happened that could be undone or learned from.
        Deployment.objects.filter(pk=deployment.pk, state=State.PREPARED).delete()
        _void(incident, why)
    return True


def _write(incident: Incident, deployment: Deployment, tools: Tools) -> None:
    service, fix = incident.service, deployment.fix
    files = written_bytes(fix)
    if files:
        tools.writer(service.spec()).write(service.spec(), files)
    with transaction.atomic():
        if fix.environment is not None:
            set_environment(service, fix.environment)
        _advance(deployment, State.WRITTEN, written_at=timezone.now())


def _restart(incident: Incident, deployment: Deployment, tools: Tools) -> None:
    if deployment.fix.restarts:
        restart(incident.service, tools)
    _advance(deployment, State.RESTARTED)


def _advance(deployment: Deployment, state: State, **changes: object) -> None:
    """Move a deployment on from the state that this process saw; another one's progress is never overwritten."""
    guard = Deployment.objects.filter(pk=deployment.pk, state=deployment.state)
    if guard.update(state=state, **changes):
        deployment.state = state


def _failed(incident: Incident, deployment: Deployment, why: str) -> None:
    with transaction.atomic():
        Deployment.objects.filter(pk=deployment.pk).update(outcome=f"deploying failed: {why}")
        incident.move(status=Status.ROLLED_BACK, step=Step.VERIFY)
        note(incident, "deploy_failed", f"Deploying failed: {why}. The old bytes are put back.")
