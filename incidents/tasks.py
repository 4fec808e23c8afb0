"""The agent's tasks: ids in, one call each. The database is the truth; a lost task is found again by beat."""

from __future__ import annotations

from collections.abc import Callable

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from incidents import providers
from incidents.alerts import deliver, escalate, outbox
from incidents.pipeline import asking, detect, runner, verify

SOFT = int(settings.AGENT_TASK_SOFT_LIMIT)
HARD = int(settings.AGENT_TASK_HARD_LIMIT)
Job = Callable[..., object]
JOBS: tuple[Job, ...] = (
    detect.consume_changes,
    runner.resume_stalled,
    verify.settle_watched,
    asking.keep_asked,
    escalate.escalate_waiting,
    outbox.wake,
)


@shared_task(soft_time_limit=SOFT, time_limit=HARD)
def run_incident(incident_id: int) -> None:
    """Take one incident as far as it goes without a person."""
    runner.run(incident_id, providers.tools())


@shared_task(soft_time_limit=SOFT, time_limit=HARD)
def consume_health_changes() -> None:
    """Open, join or end incidents for the changes of health that nobody has handled."""
    detect.consume_changes(now=timezone.now())


def tend(*further: Job) -> None:
    """Do what no hint may have asked for, one job after the other: a message for each costs more than the jobs.

    A job that fails leaves the others their turn, and is raised at the end. The site's own task names the further ones.
    """
    failures: list[Exception] = []
    for job in (*JOBS, *further):
        try:
            job(now=timezone.now())
        except Exception as error:  # whatever it is, the other jobs must not starve for it
            failures.append(error)
    if failures:
        raise ExceptionGroup("periodic jobs failed", failures)


@shared_task(soft_time_limit=SOFT, time_limit=HARD)
def deliver_messages() -> None:
    """Send what waits for the channels outside."""
    deliver.deliver_due(now=timezone.now(), announcer=providers.announcer())


@shared_task(soft_time_limit=SOFT, time_limit=HARD)
def prune_deliveries() -> None:
    """Drop old rows of the delivery log."""
    deliver.prune(now=timezone.now())
