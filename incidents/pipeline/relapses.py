"""Failures in the watch window of a deployment: what is a relapse, also with another error, and what is news (law 3)."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db.models import Q
from django.utils import timezone

from incidents.engine.fingerprints import fingerprint
from incidents.models import Deployment, Evidence, Incident
from incidents.pipeline.gates import locked
from incidents.states import OPEN, Status, Step
from incidents.timeline import note
from incidents.values import Failure, digest_of, tree_digest
from monitoring import providers
from monitoring.models import FaultInjection, HealthChange, Service
from monitoring.ports import TargetError
from monitoring.values import Symptom

log = logging.getLogger(__name__)
State = Deployment.State
UNDONE = [State.UNDONE, State.UNDO_FAILED]
FROM_OUTSIDE = {"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "absent"}
"""Ends of a process that it does not bring about by itself; a SIGSEGV, an abort or an exit code it does."""
MEASURED = {Symptom.SLOW, Symptom.RESOURCES, Symptom.STOPPED}
"""What load alone may cause: the comparison of quality (`guards.became_worse`) judges it, over many answers."""


def is_watched(incident: Incident) -> bool:
    """Say whether a deployment's watch window is open; a fault injected since then is news and no relapse."""
    watched = incident.deployments.filter(
        state=State.HEALTHY, settled_at=None, watch_until__gt=timezone.now()
    ).last()
    return watched is not None and not _injected(watched, since=watched.healthy_at)


def watched_services(changes: Sequence[HealthChange]) -> set[int]:
    """Return the services with a deployment in its watch window, or undone since, at any of these changes."""
    oldest = min((change.at for change in changes), default=None)
    if oldest is None:
        return set()
    watched = Q(state=State.HEALTHY, settled_at=None, watch_until__gt=oldest)
    found = Deployment.objects.filter(watched | Q(state__in=UNDONE, undone_at__gte=oldest))
    return set(found.values_list("incident__service", flat=True))


def cause_of(change: HealthChange, failure: Failure) -> Deployment | None:
    """Return the deployment that a failure with another error is put down to, None when it is a trouble of its own.

    The rule, by what evidence there is. It counts as a relapse when the service fails in a way in which it did not fail
    before the deploy, in the watch window, and its files and environment are exactly what we deployed. It does not
    when anything else is the nearer cause: somebody changed a file or injected a fault since; the same failure had an
    incident before; the fix wrote nothing (a restart leaves nothing to put back); the process was ended by a signal
    from outside or its keeper is gone (a kill after a code fix says nothing of the code: were memory the reason, it
    would happen again on the old bytes, too); or it is slowness and growth, which is measured over many answers instead.

    A failure seen until the undo was done belongs to the same relapse. Reads the service's files, so that it is to be
    asked outside of a transaction.
    """
    deployment = None if _is_from_outside(failure) else _around(change)
    if deployment is None or not (deployment.fix.writes or deployment.fix.environment is not None):
        return None
    if _injected(deployment, since=deployment.started_at):
        return None
    if _known_before(deployment, fingerprint(change.service.slug, failure)):
        return None
    if deployment.state in UNDONE or deployment.incident.status == Status.ROLLED_BACK:
        return deployment
    return deployment if _is_as_deployed(deployment) else None


def put_down_to(deployment: Deployment, change: HealthChange, title: str) -> Incident | None:
    """Reopen the incident of the deployment so that the next run undoes it, or return it as it is when that is under way.

    None when it is neither resolved nor open any more: then the failure has nobody to join.
    """
    incident = locked(deployment.incident_id)
    if incident.status in OPEN:
        return incident
    watched = Deployment.objects.filter(pk=deployment.pk, state=State.HEALTHY, settled_at=None)
    why = f"it fails otherwise than before, in the watch window: {title}"
    if incident.status != Status.RESOLVED or not watched.update(outcome=why):
        return None
    incident.move(
        status=Status.ROLLED_BACK,
        step=Step.VERIFY,
        reopened=incident.reopened + 1,
        failed_since=change.at,
        auto_resolved=False,
        lease=None,
    )
    text = f"It fails in a way in which it did not fail before the fix, on exactly the files that were deployed: {title}."
    note(incident, "relapse", f"{text} The fix is undone.", data=change.verdict)
    return incident


def _around(change: HealthChange) -> Deployment | None:
    watched = Q(state=State.HEALTHY, settled_at=None, watch_until__gt=change.at)
    since_undone = Q(state__in=UNDONE, undone_at__gte=change.at)
    of_service = Deployment.objects.filter(
        watched | since_undone, incident__service_id=change.service_id, healthy_at__lte=change.at
    )
    return of_service.select_related("incident__service", "fix").last()


def _is_from_outside(failure: Failure) -> bool:
    if failure.symptom in MEASURED:
        return True
    return failure.symptom == Symptom.NO_PROCESS and failure.error_type in FROM_OUTSIDE


def _injected(deployment: Deployment, *, since: object) -> bool:
    return FaultInjection.objects.filter(
        service_id=deployment.incident.service_id, at__gte=since
    ).exists()


def _known_before(deployment: Deployment, print_of: str) -> bool:
    return Incident.objects.filter(
        service_id=deployment.incident.service_id,
        fingerprint=print_of,
        detected_at__lt=deployment.started_at,
    ).exists()


def _is_as_deployed(deployment: Deployment) -> bool:
    """Say whether files and environment are what the fix was made against with the fix on top; not when unreadable."""
    fix = deployment.fix
    service = Service.objects.get(pk=deployment.incident.service_id)
    base = Evidence.objects.filter(incident_id=deployment.incident_id, attempt=fix.attempt).first()
    if base is None:
        return False
    after = {**base.current, **{path: digests["after"] for path, digests in fix.writes.items()}}
    manifest = {path: sha for path, sha in after.items() if sha}
    environment = base.environment if fix.environment is None else fix.environment
    spec = service.spec()
    try:
        tree = providers.reader(spec).read_tree(spec)
    except TargetError as error:
        log.warning("The files of %s cannot be read: %s", spec.slug, error)
        return False
    return tree_digest(tree) == digest_of(manifest) and service.environment == environment
