"""A failure that only a deep probe sees is not over because a shallow one did not look for it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitoring.models import HealthChange, Service, ServiceHealth
from monitoring.operations import probe_due, record_verdict
from monitoring.outcomes import Observation, apply
from monitoring.values import Answer, Health, Symptom, Verdict
from tests.fakes.prober import HEALTHY, ScriptedProber
from tests.monitoring.conftest import Clock, MakeService, ScriptedRuntime

SMOKE = [{"path": "/api/products"}]
BROKEN = Answer(status=500, body=b"oh no", elapsed_ms=3.0)
WELL = Verdict(health=Health.HEALTHY, path="/health", status=200)
WRONG = Verdict(
    health=Health.DEGRADED, symptom=Symptom.HTTP_ERROR, path="/api/products", status=500
)


def observed(service: Service, clock: Clock, verdict: Verdict, *, deep: bool) -> str:
    now = clock.forward(1)
    seen = Observation(service_id=service.pk, verdict=verdict, began=now, was_deep=deep)
    apply([seen], now=now)
    return ServiceHealth.objects.get(service=service).state


@pytest.fixture
def service(make_service: MakeService) -> Service:
    """Return a service that one good answer brings back."""
    return make_service(smoke_requests=SMOKE, successes_before_recovery=1)


def test_a_shallow_answer_does_not_end_a_deep_failure(service: Service, clock: Clock) -> None:
    assert observed(service, clock, WRONG, deep=True) == "degraded"
    for _ in range(5):
        assert observed(service, clock, WELL, deep=False) == "degraded"
    assert observed(service, clock, WELL, deep=True) == "healthy"


def test_shallow_answers_between_deep_ones_do_not_count_either(
    service: Service, clock: Clock
) -> None:
    Service.objects.update(successes_before_recovery=2)
    observed(service, clock, WRONG, deep=True)
    assert observed(service, clock, WELL, deep=True) == "degraded"
    assert observed(service, clock, WELL, deep=False) == "degraded"
    assert observed(service, clock, WELL, deep=True) == "healthy"


def test_a_failure_of_the_health_path_is_over_when_that_answers(
    service: Service, clock: Clock
) -> None:
    failing = Verdict(health=Health.DOWN, symptom=Symptom.TIMEOUT, path="/health")
    assert observed(service, clock, failing, deep=False) == "down"
    assert observed(service, clock, WELL, deep=False) == "healthy"


def test_an_exit_is_over_when_the_service_answers_again(service: Service, clock: Clock) -> None:
    gone = Verdict(health=Health.DOWN, symptom=Symptom.NO_PROCESS, error_type="SIGKILL")
    assert observed(service, clock, gone, deep=False) == "down"
    assert observed(service, clock, WELL, deep=False) == "healthy"


def test_a_round_with_several_probes_recovers_only_by_its_deep_one(
    make_service: MakeService, clock: Clock, runtime: ScriptedRuntime
) -> None:
    prober = ScriptedProber()
    service = make_service(
        smoke_requests=SMOKE, successes_before_recovery=1, deep_every=1, interval=0.5
    )
    prober.script("/api/products", BROKEN, BROKEN, BROKEN, HEALTHY)
    states = []
    for _ in range(4):
        now = clock.forward(1)
        ServiceHealth.objects.update(next_due_at=now)
        probe_due(now=now, prober=prober, window=1.0)
        states.append(ServiceHealth.objects.get(service=service).state)
    assert states == ["degraded", "degraded", "degraded", "healthy"]
    assert HealthChange.objects.filter(after="degraded").count() == 1


def test_a_failure_of_a_read_that_is_no_longer_declared_ends(
    service: Service, clock: Clock, runtime: ScriptedRuntime
) -> None:
    observed(service, clock, WRONG, deep=True)
    Service.objects.update(smoke_requests=[])
    now = clock.forward(1)
    ServiceHealth.objects.update(next_due_at=now)
    probe_due(now=now, prober=ScriptedProber())
    assert ServiceHealth.objects.get(service=service).state == "healthy"


def test_a_verification_that_asked_what_failed_counts(service: Service, clock: Clock) -> None:
    observed(service, clock, WRONG, deep=True)
    later = clock.now + timedelta(seconds=1)
    assert record_verdict(service_id=service.pk, verdict=WELL, now=later, source="verify") == 1
