"""The agent's tasks: ids in, one call each. The database is the truth; a lost task is found again by beat."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from incidents import providers
from incidents.alerts import deliver, escalate
from incidents.pipeline import detect, runner, verify

SOFT = int(settings.AGENT_TASK_SOFT_LIMIT)
HARD = int(settings.AGENT_TASK_HARD_LIMIT)


@shared_task(soft_time_limit=SOFT, time_limit=HARD)
def run_incident(incident_id: int) -> None:
    """Take one incident as far as it goes without a person."""
    runner.run(incident_id, providers.tools())


@shared_task(soft_time_limit=SOFT, time_limit=HARD)
def consume_health_changes() -> None:
    """Open, join or end incidents for the changes of health that nobody has handled."""
    detect.consume_changes(now=timezone.now())


@shared_task(soft_time_limit=SOFT, time_limit=HARD)
def audit_stalled() -> None:
    """Enqueue the incidents that have a step to take and nobody who takes it."""
    runner.resume_stalled(now=timezone.now())


@shared_task(soft_time_limit=SOFT, time_limit=HARD)
def watch_deployments() -> None:
    """End the watch windows that passed without a relapse."""
    verify.settle_watched(now=timezone.now())


@shared_task(soft_time_limit=SOFT, time_limit=HARD)
def deliver_messages() -> None:
    """Send what waits for the channels outside."""
    deliver.deliver_due(now=timezone.now(), announcer=providers.announcer())


@shared_task(soft_time_limit=SOFT, time_limit=HARD)
def escalate_waiting() -> None:
    """Put questions that nobody took up to the next ones who may answer."""
    escalate.escalate_waiting(now=timezone.now())


@shared_task(soft_time_limit=SOFT, time_limit=HARD)
def prune_deliveries() -> None:
    """Drop old rows of the delivery log."""
    deliver.prune(now=timezone.now())
