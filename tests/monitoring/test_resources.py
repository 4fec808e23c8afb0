"""Sampling: a leak becomes one change with its figures, ends with its process, and is kept as one row a minute."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitoring import rollups
from monitoring.judging_resources import FILES, LOG, MEMORY
from monitoring.models import HealthChange, ResourceMinute, Service, ServiceHealth
from monitoring.operations import probe_due
from monitoring.resources import Sampler
from monitoring.values import ProcessState
from tests.fakes.prober import ScriptedProber
from tests.monitoring.conftest import Clock, MakeService, ScriptedRuntime

MB = 1_000_000
STILL = ProcessState(
    phase="running", pid=7, memory_bytes=40 * MB, open_files=9, threads=4, file_limit=1024
)


class Watch:
    """A service whose probes are well, its process, and the sampler that looks at it each second."""

    def __init__(self, service: Service, clock: Clock) -> None:
        self.service, self.clock, self.sampler = service, clock, Sampler()
        self.state = replace(STILL, started_at=clock.now.timestamp(), log_bytes=0, cpu_seconds=0.0)

    def passes(self, seconds: int, *, memory: int = 0, files: float = 0, log: int = 0) -> str:
        """Let time pass with so much growth a second; return the state of the service."""
        begun = self.state
        for second in range(1, seconds + 1):
            self.state = replace(
                begun,
                memory_bytes=(begun.memory_bytes or 0) + second * memory,
                open_files=(begun.open_files or 0) + int(second * files),
                log_bytes=((begun.log_bytes or 0) + second * log) % 5_000_000,
                cpu_seconds=(begun.cpu_seconds or 0) + second * 0.1,
            )
            now = self.clock.forward(1)
            self.sampler.take(service_id=self.service.pk, state=self.state, now=now)
        return self.health()

    def health(self) -> str:
        return ServiceHealth.objects.get(service=self.service).state

    def probed(self) -> str:
        ServiceHealth.objects.filter(service=self.service).update(
            next_due_at=self.clock.now, deep_requested=True
        )
        probe_due(now=self.clock.now, prober=ScriptedProber())
        self.clock.forward(1)
        return self.health()

    def restarts(self) -> None:
        started = self.clock.forward(1).timestamp()
        self.state = replace(STILL, pid=8, started_at=started, log_bytes=self.state.log_bytes)


@pytest.fixture
def watch(make_service: MakeService, clock: Clock, runtime: ScriptedRuntime) -> Watch:
    watch = Watch(make_service(), clock)
    for _ in range(2):
        watch.probed()
    HealthChange.objects.all().delete()
    return watch


def kinds() -> list[tuple[str, str]]:
    return [(row.after, row.verdict["error_type"]) for row in HealthChange.objects.all()]


@pytest.mark.parametrize(
    ("growth", "kind"),
    [({"memory": 300_000}, MEMORY), ({"files": 0.5}, FILES), ({"log": 90_000}, LOG)],
)
def test_each_kind_is_one_change_that_a_good_probe_does_not_end(
    watch: Watch, growth: dict[str, int], kind: str
) -> None:
    assert watch.passes(60) == "healthy"
    assert watch.passes(300, **growth) == "degraded"
    assert watch.probed() == "degraded"
    assert watch.probed() == "degraded"
    watch.passes(60, **growth)
    assert kinds() == [("degraded", kind)]
    change = HealthChange.objects.get()
    assert (change.symptom, change.source) == ("resources", "resources")


def test_a_quiet_process_is_left_alone(watch: Watch) -> None:
    assert watch.passes(900, memory=1_000, log=500) == "healthy"
    assert kinds() == []


def test_a_new_process_ends_it_at_once_and_may_leak_anew(watch: Watch) -> None:
    watch.passes(300, memory=300_000)
    watch.restarts()
    assert watch.passes(1) == "healthy"
    assert watch.passes(300, memory=300_000) == "degraded"
    assert [after for after, _ in kinds()] == ["degraded", "healthy", "degraded"]


def test_a_watcher_that_was_restarted_does_not_forget_a_leak(watch: Watch) -> None:
    watch.passes(300, memory=300_000)
    watch.sampler = Sampler()
    assert watch.passes(200) == "degraded", "the same process holds it still"
    watch.restarts()
    watch.sampler = Sampler()
    assert watch.passes(1) == "healthy"


def test_a_flood_ends_when_it_stops(watch: Watch) -> None:
    assert watch.passes(90, log=90_000) == "degraded"
    assert watch.passes(90, log=100) == "healthy"


def test_what_is_usual_for_a_chatty_service_is_no_flood(watch: Watch) -> None:
    for minute in range(1, 20):
        ResourceMinute.objects.create(
            service=watch.service,
            minute=watch.clock.now - timedelta(minutes=minute),
            log_bytes=4_000_000,
        )
    assert watch.passes(120, log=90_000) == "healthy"


def test_minutes_are_kept_as_rows_and_dropped_after_a_day(watch: Watch) -> None:
    watch.passes(200, log=1_000)
    rows = list(ResourceMinute.objects.order_by("minute"))
    assert len(rows) == 3
    assert rows[1].memory_bytes == 40 * MB
    assert rows[1].cpu_share == pytest.approx(0.1, abs=0.01)
    assert rows[1].log_bytes == pytest.approx(60_000, abs=100)
    rollups.prune(now=watch.clock.now + timedelta(hours=25))
    assert not ResourceMinute.objects.exists()


def test_samples_are_bounded_and_cost_no_query_while_all_is_well(
    watch: Watch, django_assert_num_queries: Any
) -> None:
    watch.passes(70)
    with django_assert_num_queries(1):  # this test's own look at the state
        watch.passes(40)
