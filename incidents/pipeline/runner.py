"""Takes an incident through its steps: the only module that knows their order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.utils import timezone

from incidents import queue
from incidents.models import Incident, LostLease
from incidents.pipeline import (
    collect,
    decide,
    deploy,
    diagnose,
    learn,
    propose,
    report,
    review,
    trial,
    verify,
)
from incidents.pipeline.tools import Tools
from incidents.states import BEFORE_DEPLOY, Status, Step
from incidents.timeline import note

log = logging.getLogger(__name__)

StepFunction = Callable[[Incident, Tools], None]

STEPS: dict[Step, StepFunction] = {
    Step.COLLECT: collect.collect,
    Step.DIAGNOSE: diagnose.diagnose,
    Step.PROPOSE: propose.propose,
    Step.TRIAL: trial.trial,
    Step.REVIEW: review.review,
    Step.DECIDE: decide.decide,
    Step.DEPLOY: deploy.deploy,
    Step.VERIFY: verify.verify,
    Step.REPORT: report.report,
    Step.LEARN: learn.learn,
}
MAX_STEPS = 60  # an incident that goes round (drift, drift, ...) stops here and asks a person


def run(incident_id: int, tools: Tools) -> bool:
    """Take the incident as far as it goes without a person; false when another worker has it.

    Steps commit one by one. Being killed here loses nothing but the step that was running, and that one is repeated.
    """
    incident = Incident.objects.select_related("service").get(pk=incident_id)
    if not incident.take_lease(now=timezone.now(), seconds=settings.LEASE_SECONDS):
        return False
    token = incident.lease
    with _kept_lease(incident):
        try:
            _take_steps(incident, tools)
        except LostLease as lost:
            log.info("Stopped: %s", lost)
        except (
            Exception
        ):  # whatever a step did not foresee: a person has to learn of it, then it is raised again
            _give_up(incident, token)
            raise
    return True


def _take_steps(incident: Incident, tools: Tools) -> None:
    token = incident.lease
    for _ in range(MAX_STEPS):
        if incident.step == Step.WAIT or incident.lease != token:
            return
        if incident.taken_over_by_id and incident.status in BEFORE_DEPLOY:
            _hands_off(incident)
            return
        STEPS[Step(incident.step)](incident, tools)
        incident.refresh_from_db()
    _give_up(incident, token)


def _hands_off(incident: Incident) -> None:
    with transaction.atomic():
        incident.move(status=Status(incident.status), step=Step.WAIT)
        note(incident, "hands_off", "A person has this one: the agent stops here.")


def _give_up(incident: Incident, token: UUID | None) -> None:
    """Escalate an incident whose step failed in a way that no rule foresaw; a running change is left to resume."""
    incident.refresh_from_db()
    if incident.lease != token or incident.status not in BEFORE_DEPLOY:
        return
    with transaction.atomic():
        failed = incident.step
        incident.move(
            status=Status.ESCALATED,
            step=Step.WAIT,
            waits_for=f"The agent's own step '{failed}' failed; a person has to look.",
        )
        note(
            incident,
            "agent_error",
            f"The step '{failed}' failed unexpectedly; see the agent's log.",
        )


@contextmanager
def _kept_lease(incident: Incident) -> Iterator[None]:
    """Renew the lease from a thread while a step runs, and give it back at the end."""
    stop = threading.Event()
    ours = Incident(pk=incident.pk, lease=incident.lease)
    period = settings.LEASE_SECONDS / 3
    keeper = threading.Thread(target=_renew, args=(ours, stop, period), daemon=True)
    if not connection.in_atomic_block:  # another connection sees nothing of a test's transaction
        keeper.start()
    try:
        yield
    finally:
        stop.set()
        if keeper.is_alive():
            keeper.join()
        ours.drop_lease()


def _renew(incident: Incident, stop: threading.Event, period: float) -> None:
    try:
        while not stop.wait(period):
            incident.renew_lease(now=timezone.now(), seconds=settings.LEASE_SECONDS)
    except LostLease:
        log.info("The lease on incident %s is not ours any more.", incident.pk)
    finally:
        connection.close()
        close_old_connections()


def resume_stalled(*, now: datetime) -> list[int]:
    """Enqueue every incident that has a step to take and nobody who takes it; return their ids."""
    from_leases = Incident.objects.exclude(step=Step.WAIT).exclude(lease_until__gte=now)
    ids = list(from_leases.values_list("id", flat=True)[:200])
    for incident_id in ids:
        queue.enqueue(queue.RUN, incident_id)
    return ids
