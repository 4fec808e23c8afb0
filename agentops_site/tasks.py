"""The site's own tasks: what needs a vendor's SDK, which only the agent's worker may load."""

from __future__ import annotations

from celery import shared_task

from agentops_site import vendors


@shared_task(soft_time_limit=60, time_limit=70, expires=60)
def test_vendor(vendor: str) -> None:
    """Ask one vendor whether it can be used, and keep what came back."""
    vendors.run_test(vendor)
