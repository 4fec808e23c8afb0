"""Step 9: keep the old bytes, write the new ones, restart. Every part may be repeated after a kill.

`_prepare` is the one door: auto, approved and overridden fixes all pass its checks of role, state and digests, in the
transaction that writes the Deployment row. No row, no write.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from incidents.models import Decision, Deployment, Incident, LostLease
from incidents.pipeline.debts import frozen
from incidents.pipeline.fixes import base_digest, written_bytes
from incidents.pipeline.gates import forbids_change, policy_of
from incidents.pipeline.guards import before_the_switch, is_healthy_again, stale_proof
from incidents.pipeline.tools import Tools
from incidents.pipeline.undo import restart, set_environment
from incidents.states import Status, Step
from incidents.timeline import note
from monitoring.models import Service
from monitoring.ports import TargetError
from monitoring.values import Tree
from teams import access
from teams.roles import Verb

State = Deployment.State
HEALTHY_AGAIN = "the service is healthy again without us"
RUNNING = [State.PREPARED, State.WRITTEN, State.RESTARTED]
VERB_OF = {Decision.Kind.APPROVE: Verb.APPROVE, Decision.Kind.OVERRIDE: Verb.OVERRIDE}


def deploy(incident: Incident, tools: Tools) -> None:
    """Carry the permitted fix out: a row with the kept bytes, then the files, then the restart.

    Drift of files, environment, proof or policy voids the decision and starts the work over; a write that fails goes to
    verification, which puts the kept bytes back.
    """
    started = timezone.now()
    deployment = incident.deployments.filter(state__in=RUNNING).first() or _first(incident, tools)
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
    stale = _against(incident, _permission(incident), tree) or stale_proof(
        incident, _permission(incident), tools
    )
    before = before_the_switch(incident, spec, tools)
    with transaction.atomic():
        decision = _permission(incident)
        why = stale or _against(incident, decision, tree)
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


def _permission(incident: Incident) -> Decision | None:
    last = incident.decisions.filter(attempt=incident.attempt, voided_at=None).last()
    return last if last is not None and last.permits_deploy else None


def _against(incident: Incident, decision: Decision | None, tree: Tree) -> str:
    """Return what speaks against deploying on this decision now, or an empty text (laws 1, 2, 7)."""
    if decision is None or decision.fix is None:
        return "there is no permission to deploy"
    fix, service = decision.fix, Service.objects.get(pk=incident.service_id)
    overridden = decision.kind == Decision.Kind.OVERRIDE
    checks = [
        (decision.fix_digest != fix.digest, "the fix is not the one that was decided"),
        (decision.trial_digest != fix.trial.digest, "the trial is not the one that was decided on"),
        (not overridden and fix.trial.passed is not True, "the trial did not pass"),
        (
            decision.base_digest != base_digest(tree, service.environment),
            "the service's files or environment changed since the fix was tried",
        ),
        (
            decision.policy_digest != policy_of(service).digest,
            "the service's policy changed since the decision",
        ),
        (
            decision.expires_at is not None and decision.expires_at < timezone.now(),
            "the permission has expired",
        ),
        (is_healthy_again(incident), HEALTHY_AGAIN),
    ]
    broken = [reason for applies, reason in checks if applies]
    ice = "" if overridden else frozen(incident, fix)
    return (broken[:1] or [_role_lost(incident, decision) or forbids_change(incident) or ice])[0]


def _role_lost(incident: Incident, decision: Decision) -> str:
    """Return why the person who decided may not (any more), or an empty text; the rules' own `auto` has no person."""
    if decision.kind == Decision.Kind.AUTO:
        return ""
    if decision.actor is None:
        return "the decision names no person"
    verb = VERB_OF[Decision.Kind(decision.kind)]
    slug = incident.service.slug
    return access.may(decision.actor, verb, severity=incident.severity, service=slug).reason


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
