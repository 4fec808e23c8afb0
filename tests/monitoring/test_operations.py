"""Probing as a whole, on a scripted prober and a real database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from monitoring.models import HealthChange, Service, ServiceHealth
from monitoring.operations import probe_due, record_exit, record_verdict, request_probe
from monitoring.outcomes import Observation, apply
from monitoring.values import Answer, Health, ProcessState, Symptom, Verdict
from tests.fakes.prober import HEALTHY, ScriptedProber
from tests.monitoring.conftest import Clock, Hints, MakeService, ScriptedRuntime

BROKEN = Answer(
    status=500,
    headers={"content-type": "application/json"},
    body=b'{"error": {"type": "NameError", "detail": "name \'x\' is not defined"}}',
    elapsed_ms=3.0,
)
OTHER = replace(BROKEN, body=b'{"error": {"type": "KeyError", "detail": "id"}}')
REFUSED = Answer(failure="refused")

Probe = Callable[..., int]


@pytest.fixture
def prober() -> ScriptedProber:
    return ScriptedProber()


@pytest.fixture
def probe(prober: ScriptedProber, clock: Clock, runtime: ScriptedRuntime) -> Probe:
    """Return a tick: moves the clock on by one interval (or as told) and probes."""

    def tick(seconds: float = 5.0) -> int:
        return probe_due(now=clock.forward(seconds), prober=prober)

    return tick


def health(service: Service) -> ServiceHealth:
    return ServiceHealth.objects.get(service=service)


def changes() -> list[tuple[str, str, str]]:
    return list(HealthChange.objects.values_list("before", "after", "symptom"))


def test_a_healthy_service_becomes_known_as_healthy(
    make_service: MakeService, probe: Probe
) -> None:
    service = make_service()
    assert probe(0) == 1
    now = health(service)
    assert (now.state, now.successes_in_row, now.probes, now.latency_ms) == ("healthy", 1, 41, 4.0)
    assert changes() == [("unknown", "healthy", "")]


def test_an_error_is_one_change_with_its_facts_and_wakes_the_consumer(
    make_service: MakeService,
    probe: Probe,
    prober: ScriptedProber,
    hints_sent: Hints,
    django_capture_on_commit_callbacks: Any,
) -> None:
    make_service()
    probe(0)
    prober.script("/health", BROKEN)
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(4):
            probe()
    (change,) = HealthChange.objects.filter(after="down")
    assert change.symptom == "http_error"
    assert change.verdict["error_type"] == "NameError"
    assert hints_sent.tasks == ["incidents.tasks.consume_health_changes"]
    assert '"health":"down"' in hints_sent.events[0]


def test_another_cause_while_down_is_another_change(
    make_service: MakeService, probe: Probe, prober: ScriptedProber
) -> None:
    make_service()
    prober.script("/health", HEALTHY, BROKEN, BROKEN, OTHER, OTHER)
    for _ in range(5):
        probe()
    assert changes()[1:] == [("healthy", "down", "http_error"), ("down", "down", "http_error")]


def test_recovery_takes_the_configured_successes_and_the_second_probe_comes_soon(
    make_service: MakeService, probe: Probe, prober: ScriptedProber, clock: Clock
) -> None:
    service = make_service(successes_before_recovery=2)
    prober.script("/health", BROKEN, HEALTHY)
    probe(0)
    probe()
    assert health(service).state == "down"
    assert health(service).next_due_at < clock.now + timedelta(seconds=1)
    probe(1)
    assert health(service).state == "healthy"
    assert changes()[-1] == ("down", "healthy", "")


def test_failures_before_an_incident_are_counted(
    make_service: MakeService, probe: Probe, prober: ScriptedProber
) -> None:
    service = make_service(failures_before_incident=3)
    prober.script("/health", HEALTHY, BROKEN)
    for state in ("healthy", "healthy", "healthy", "down"):
        probe()
        assert health(service).state == state


def test_a_service_that_is_not_due_or_not_enabled_is_left_alone(
    make_service: MakeService, probe: Probe
) -> None:
    make_service("later", due_in=30)
    make_service("off", enabled=False)
    assert probe(0) == 0


def test_the_next_probe_is_one_interval_after_the_due_time_and_missed_ones_are_skipped(
    make_service: MakeService, probe: Probe, clock: Clock
) -> None:
    service = make_service(interval=5.0)
    due = health(service).next_due_at
    assert probe(0.4) == 1
    assert health(service).next_due_at == due + timedelta(seconds=5)
    assert probe(3600) == 1
    assert clock.now < health(service).next_due_at <= clock.now + timedelta(seconds=5)


def test_two_workers_never_claim_the_same_service(make_service: MakeService, probe: Probe) -> None:
    make_service()
    assert [probe(0), probe(0)] == [1, 0]


@pytest.mark.parametrize(
    ("process", "said"),
    [
        (ProcessState(phase="exited", signal=9), ("no_process", "SIGKILL")),
        (ProcessState(phase="absent"), ("no_process", "absent")),
        (ProcessState(phase="running", pid=1, started_at=1.0), ("refused", "refused")),
    ],
)
@pytest.mark.usefixtures("runtime")
def test_the_keeper_says_why_nobody_answers(
    make_service: MakeService,
    probe: Probe,
    prober: ScriptedProber,
    process: ProcessState,
    said: tuple[str, str],
) -> None:
    make_service()
    prober.script("/health", REFUSED)
    scripted: Any = settings.MONITORING_RUNTIMES["local"]
    scripted.state = process
    probe(0)
    change = HealthChange.objects.get()
    assert (change.symptom, change.verdict["error_type"]) == said


def test_a_planned_restart_opens_nothing(
    make_service: MakeService, probe: Probe, prober: ScriptedProber, runtime: ScriptedRuntime
) -> None:
    service = make_service()
    prober.script("/health", HEALTHY, REFUSED, REFUSED, HEALTHY)
    probe(0)
    runtime.state = ProcessState(phase="stopped")
    probe()
    assert health(service).state == "healthy"
    probe(0.5)
    assert health(service).state == "unknown"
    probe(0.5)
    assert [change[1] for change in changes()] == ["healthy", "unknown", "healthy"]


def test_a_restart_opens_nothing_where_the_answer_is_judged_late(
    make_service: MakeService,
    prober: ScriptedProber,
    runtime: ScriptedRuntime,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where many restart at once, the writer comes to an answer seconds after it was there."""
    service = make_service()
    prober.script("/health", HEALTHY, Answer(failure="reset", elapsed_ms=20.0))
    probe_due(now=clock.now, prober=prober)
    runtime.state = ProcessState(phase="running", pid=8, started_at=clock.now.timestamp() + 5.0)
    asked = len(prober.asked)
    late = SimpleNamespace(monotonic=lambda: monotonic() + 2.0 * (len(prober.asked) > asked))
    monkeypatch.setattr("monitoring.operations.time", late)
    probe_due(now=clock.forward(5), prober=prober)
    assert health(service).state == "healthy"
    assert [change[1] for change in changes()] == ["healthy"]


def test_an_exit_is_written_once_by_watcher_and_probe_together(
    make_service: MakeService,
    probe: Probe,
    prober: ScriptedProber,
    runtime: ScriptedRuntime,
    clock: Clock,
) -> None:
    service = make_service(failures_before_incident=3)
    probe(0)
    gone = ProcessState(phase="exited", signal=9)
    assert record_exit(service_id=service.pk, process=gone, now=clock.forward(1)) == 1
    assert record_exit(service_id=service.pk, process=gone, now=clock.forward(1)) == 0
    prober.script("/health", REFUSED)
    runtime.state = gone
    probe()
    assert changes()[1:] == [("healthy", "down", "no_process")]
    assert HealthChange.objects.last().source == "watcher"  # type: ignore[union-attr]


def test_an_old_hung_answer_does_not_undo_a_newer_one(
    make_service: MakeService, clock: Clock
) -> None:
    service = make_service()
    hung = Verdict(health=Health.DOWN, symptom=Symptom.TIMEOUT, path="/health")
    fine = Verdict(health=Health.HEALTHY, path="/health", status=200)
    apply([Observation(service_id=service.pk, verdict=fine, began=clock.now)], now=clock.now)
    old = Observation(service_id=service.pk, verdict=hung, began=clock.now - timedelta(seconds=1.5))
    assert apply([old], now=clock.forward(0.5)) == 0
    assert health(service).state == "healthy"


def test_a_batch_may_hold_several_probes_of_one_service(
    make_service: MakeService, clock: Clock
) -> None:
    service = make_service()
    fine = Verdict(health=Health.HEALTHY, path="/health", status=200)
    batch = [
        Observation(service_id=service.pk, verdict=fine, began=clock.forward(0.5)) for _ in range(3)
    ]
    apply(batch, now=clock.now)
    assert (health(service).successes_in_row, health(service).probes) == (3, 43)


def test_a_verified_deploy_ends_the_failure_at_once(
    make_service: MakeService, probe: Probe, prober: ScriptedProber, clock: Clock
) -> None:
    service = make_service(successes_before_recovery=2)
    prober.script("/health", BROKEN)
    probe(0)
    fine = Verdict(health=Health.HEALTHY, path="/health", status=200)
    for _ in range(2):
        record_verdict(service_id=service.pk, verdict=fine, now=clock.forward(0.2), source="verify")
    assert health(service).state == "healthy"


def test_a_requested_probe_is_due_now_and_wakes_a_prober(
    make_service: MakeService,
    clock: Clock,
    hints_sent: Hints,
    django_capture_on_commit_callbacks: Any,
) -> None:
    service = make_service(due_in=60)
    with django_capture_on_commit_callbacks(execute=True):
        request_probe(service.pk, now=clock.now, deep=True)
        request_probe(999_999, now=clock.now)
    assert health(service).next_due_at == clock.now
    assert health(service).deep_requested
    assert hints_sent.tasks == ["monitoring.tasks.probe_due"]


SMOKE = [{"path": "/api/products"}, {"method": "POST", "path": "/api/orders"}]


class TestDeepProbe:
    def test_every_so_many_probes_the_smoke_reads_are_asked_too(
        self, make_service: MakeService, probe: Probe, prober: ScriptedProber
    ) -> None:
        make_service(smoke_requests=SMOKE, deep_every=3)
        for _ in range(6):
            probe()
        paths = [call.request.path for call in prober.asked]
        assert (paths.count("/health"), paths.count("/api/products")) == (6, 2)
        assert "/api/orders" not in paths

    def test_a_failing_smoke_request_degrades_until_it_passes_again(
        self, make_service: MakeService, probe: Probe, prober: ScriptedProber
    ) -> None:
        service = make_service(smoke_requests=SMOKE, deep_every=1)
        prober.script("/api/products", HEALTHY, BROKEN, BROKEN, BROKEN, HEALTHY)
        ServiceHealth.objects.update(probes=0)
        Service.objects.update(deep_every=2)
        probe(0)
        for _ in range(3):
            probe()
        now = health(service)
        assert now.state == "degraded"
        assert now.verdict["path"] == "/api/products"
        probe()
        probe()
        probe()
        assert health(service).state == "healthy"
        assert [c[1:] for c in changes()] == [
            ("healthy", ""),
            ("degraded", "http_error"),
            ("healthy", ""),
        ]

    def test_a_failing_health_path_is_not_masked_by_smoke_requests(
        self, make_service: MakeService, probe: Probe, prober: ScriptedProber
    ) -> None:
        make_service(smoke_requests=SMOKE, deep_every=1)
        prober.script("/health", BROKEN)
        prober.script("/api/products", OTHER)
        probe(0)
        assert HealthChange.objects.get().verdict["path"] == "/health"

    def test_a_broken_invariant_is_a_wrong_answer_with_its_path(
        self, make_service: MakeService, probe: Probe, prober: ScriptedProber
    ) -> None:
        rule = {
            "name": "stock",
            "request": {"path": "/api/products"},
            "each": "$.items[*].stock",
            "is": ">= 0",
        }
        make_service(invariants=[rule, {"nonsense": True}], deep_every=1)
        good, bad = (
            Answer(status=200, body=b'{"items": [{"stock": %d}]}' % stock) for stock in (3, -1)
        )
        prober.script("/api/products", good, bad)
        probe(0)
        probe()
        change = HealthChange.objects.get(after="degraded")
        assert (change.symptom, change.verdict["path"]) == ("wrong_answer", "/api/products")
        assert change.verdict["detail"] == "stock: $.items[0].stock is -1"

    def test_nonsense_in_the_row_does_not_stop_the_probe(
        self, make_service: MakeService, probe: Probe
    ) -> None:
        service = make_service(smoke_requests={"no": "list"}, deep_every=1)
        probe(0)
        assert health(service).state == "healthy"


def test_the_number_of_queries_does_not_grow_with_the_services(
    make_service: MakeService, probe: Probe, clock: Clock
) -> None:
    counts = []
    for wanted in (3, 30):
        while Service.objects.count() < wanted:
            make_service(f"s{Service.objects.count()}")
        ServiceHealth.objects.update(next_due_at=clock.now, state="healthy")
        with CaptureQueriesContext(connection) as captured:
            assert probe(0) == wanted
        counts.append(len(captured))
    assert counts[0] == counts[1]
