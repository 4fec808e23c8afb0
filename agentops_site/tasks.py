"""The site's own tasks: what needs a vendor's SDK, which only the agent's worker may load."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from agentops_site import remote_good, speaking, vendors
from incidents import tasks as incidents


@shared_task(soft_time_limit=60, time_limit=70, expires=60)
def test_vendor(vendor: str) -> None:
    """Ask one vendor whether it can be used, and keep what came back."""
    vendors.run_test(vendor)


@shared_task(soft_time_limit=incidents.SOFT, time_limit=incidents.HARD)
def tend() -> None:
    """Tend the incidents, and have spoken what waits for a person and what a killed worker left unsaid."""
    incidents.tend(speaking.speak_due)


@shared_task(soft_time_limit=60, time_limit=70)
def speak(speech_id: int) -> None:
    """Have one script spoken that somebody waits for."""
    speaking.speak(speech_id, now=timezone.now())


@shared_task(soft_time_limit=60, time_limit=70)
def keep_remote_good() -> None:
    """Keep the last known good of healthy services in sandboxes, which is too dear for every beat."""
    remote_good.keep(now=timezone.now())
