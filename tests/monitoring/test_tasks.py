"""The periodic jobs, run as Celery runs them."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.utils import timezone

from celery_app import app
from monitoring import probing, tasks
from monitoring.models import Service, ServiceHealth
from tests.fakes.prober import ScriptedProber
from tests.monitoring.conftest import MakeService


def test_beat_names_tasks_that_exist() -> None:
    named = {str(entry["task"]) for entry in app.conf.beat_schedule.values()}
    ours = {name for name in named if name.startswith("monitoring.")}
    assert ours == {tasks.keep_probing.name, tasks.prune.name}


@pytest.mark.usefixtures("runtime")
def test_a_service_that_came_without_a_health_row_is_taken_up_and_probed(
    make_service: MakeService, settings: LazySettings
) -> None:
    settings.MONITORING_PROBER = ScriptedProber()
    make_service()
    ServiceHealth.objects.all().delete()
    probing.keep_good()
    probing.keep_good()
    ServiceHealth.objects.update(next_due_at=timezone.now())
    tasks.probe_due()
    tasks.prune()
    assert Service.objects.get().health.state == "healthy"
    assert Service.objects.get().minutes.exists()
