"""Real requests that fail make a service degraded although its probes are well, until something says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitoring import recorder, traffic
from monitoring.models import HealthChange, Service, ServiceHealth
from monitoring.operations import probe_due
from monitoring.values import Answer, HttpRequest, ProcessState
from tests.fakes.prober import ScriptedProber
from tests.monitoring.conftest import Clock, Hints, MakeService, ScriptedRuntime

JSON = {"content-type": "application/json"}
BROKEN = Answer(
    status=500, headers=JSON, body=b'{"error": {"type": "TypeError", "detail": "tax_on"}}'
)
GOOD = Answer(status=201, headers=JSON, body=b"{}")


class Shop:
    """A shop whose probes are always well, the requests that pass, and the clock."""

    def __init__(self, service: Service, clock: Clock) -> None:
        self.service, self.clock = service, clock

    def passes(self, *answers: Answer, path: str = "/api/orders", method: str = "POST") -> None:
        for answer in answers:
            recorder.record(
                service=self.service,
                request=HttpRequest(method=method, path=path, body=b'{"a": 1}'),
                answer=answer,
                source="shop",
                now=self.clock.forward(1),
            )

    def probed(self, times: int = 1) -> str:
        for _ in range(times):
            ServiceHealth.objects.filter(service=self.service).update(
                next_due_at=self.clock.now, deep_requested=True
            )
            probe_due(now=self.clock.now, prober=ScriptedProber())
            self.clock.forward(1)
        return ServiceHealth.objects.get(service=self.service).state

    def changes(self) -> list[str]:
        rows = HealthChange.objects.filter(service=self.service)
        return [f"{row.after} {row.source} {row.verdict['path']}" for row in rows]


@pytest.fixture
def shop(make_service: MakeService, clock: Clock, runtime: ScriptedRuntime) -> Shop:
    old = datetime(2026, 1, 1, tzinfo=UTC)
    shop = Shop(make_service(created_at=old), clock)
    assert shop.probed(2) == "healthy"
    HealthChange.objects.all().delete()
    return shop


def test_three_failed_orders_are_one_change_with_the_order_as_evidence(
    shop: Shop, hints_sent: Hints, django_capture_on_commit_callbacks: Any
) -> None:
    shop.passes(BROKEN, BROKEN)
    assert shop.probed() == "healthy", "a second failure may still be chance"
    with django_capture_on_commit_callbacks(execute=True):
        shop.passes(BROKEN)
    assert hints_sent.tasks[-1].endswith("probe_due"), "nobody waits for the next deep probe"
    assert shop.probed(3) == "degraded"
    change = HealthChange.objects.get()
    assert (change.source, change.symptom) == ("traffic", "http_error")
    assert (change.verdict["method"], change.verdict["path"]) == ("POST", "/api/orders")
    assert (change.verdict["error_type"], change.verdict["status"]) == ("TypeError", 500)


def test_refusals_and_a_single_flaky_answer_are_none(shop: Shop) -> None:
    shop.passes(*[Answer(status=422, headers=JSON, body=b"{}")] * 9, BROKEN, GOOD, GOOD)
    assert shop.probed(3) == "healthy"
    assert shop.changes() == []


def test_good_answers_of_the_same_endpoint_end_it(shop: Shop) -> None:
    shop.passes(BROKEN, BROKEN, BROKEN)
    assert shop.probed() == "degraded"
    shop.passes(GOOD, GOOD, GOOD, GOOD, path="/api/users")
    assert shop.probed(3) == "degraded", "another endpoint says nothing"
    shop.passes(*[GOOD] * 10)
    assert shop.probed(2) == "healthy"
    assert [one.split()[0] for one in shop.changes()] == ["degraded", "healthy"]


def test_a_new_process_answers_for_itself(shop: Shop, runtime: ScriptedRuntime) -> None:
    shop.passes(BROKEN, BROKEN, BROKEN)
    assert shop.probed() == "degraded"
    started = shop.clock.now.timestamp()
    runtime.state = ProcessState(phase="running", pid=7, started_at=started)
    assert shop.probed(2) == "healthy"
    shop.passes(BROKEN, BROKEN, BROKEN)
    assert shop.probed() == "degraded", "the restart did not help"


def test_a_repair_without_restart_is_forgiven_what_was_before(shop: Shop) -> None:
    shop.passes(BROKEN, BROKEN, BROKEN)
    assert shop.probed() == "degraded"
    traffic.forgive(service_id=shop.service.pk, now=shop.clock.forward(1))
    assert shop.probed(2) == "healthy"


def test_a_long_silence_ends_it(shop: Shop) -> None:
    shop.passes(BROKEN, BROKEN, BROKEN)
    assert shop.probed() == "degraded"
    shop.clock.now += timedelta(minutes=20)
    assert shop.probed() == "degraded"
    shop.clock.now += timedelta(minutes=20)
    assert shop.probed(2) == "healthy"


def test_another_order_number_is_no_news_but_another_error_is(shop: Shop) -> None:
    shop.passes(BROKEN, BROKEN, BROKEN, path="/api/orders/1/pay")
    shop.probed()
    shop.passes(BROKEN, path="/api/orders/2/pay")
    shop.probed(2)
    assert shop.changes() == ["degraded traffic /api/orders/1/pay"]
    other = Answer(status=500, headers=JSON, body=b'{"error": {"type": "KeyError"}}')
    shop.passes(other, path="/api/orders/2/pay")
    shop.probed(2)
    assert len(shop.changes()) == 2


def test_what_probes_send_themselves_is_left_to_them(shop: Shop) -> None:
    for _ in range(5):
        recorder.record(
            service=shop.service,
            request=HttpRequest(path="/api/products"),
            answer=BROKEN,
            source=recorder.SMOKE,
            now=shop.clock.forward(1),
        )
    assert shop.probed(2) == "healthy"


def test_a_probe_that_fails_comes_first_and_its_end_leaves_the_orders_failing(shop: Shop) -> None:
    shop.passes(BROKEN, BROKEN, BROKEN)
    shop.probed()
    sick = ScriptedProber()
    sick.script("/health", BROKEN)
    ServiceHealth.objects.update(next_due_at=shop.clock.forward(1))
    probe_due(now=shop.clock.now, prober=sick)
    assert ServiceHealth.objects.get().state == "down"
    shop.clock.forward(1)
    assert shop.probed(2) == "degraded"
