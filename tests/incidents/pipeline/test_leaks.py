"""Leaks and floods of a real shop: seen in the figures of its process, shown in copies, reverted, or restarted honestly."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from incidents.models import Debt, Fix, Incident
from incidents.pipeline import detect
from incidents.states import Status
from monitoring import providers
from monitoring.faults.injection import inject
from monitoring.models import Service, ServiceHealth
from monitoring.resources import Sampler
from tests.incidents.world import answers, probe, restart, run, running_shop, wait_for

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a healthy shop with a last known good state."""
    with running_shop(tmp_path / "shop") as service:
        yield service


class Beat:
    """The watcher's look at the process, ten seconds apart by its own clock; customers ask the shop in between."""

    def __init__(self, service: Service) -> None:
        self.service, self.sampler = service, Sampler()
        self.now: datetime = timezone.now()

    def until_degraded(self, *, requests: int = 8) -> Incident:
        for _ in range(60):
            self.look(requests=requests)
            if ServiceHealth.objects.get(service=self.service).state == "degraded":
                (number,) = detect.consume_changes(now=timezone.now())
                return Incident.objects.select_related("service").get(pk=number)
        raise AssertionError("nobody noticed")

    def look(self, *, requests: int = 0) -> None:
        spec = self.service.spec()
        for _ in range(requests):
            urllib.request.urlopen(f"{spec.base_url}/api/products", timeout=5).read()  # noqa: S310
        state = providers.reader(spec).process(spec)
        self.now += timedelta(seconds=10)
        self.sampler.take(service_id=spec.id, state=state, now=self.now)


@pytest.mark.parametrize(
    ("fault", "title"),
    [
        ("memory_leak", "memory grows"),
        ("fd_leak", "open files grow"),
        ("log_spam", "log floods"),
    ],
)
def test_the_fault_opens_one_low_incident_and_its_change_is_reverted(
    shop: Service, fault: str, title: str
) -> None:
    handler = Path(shop.directory) / "handler.py"
    good = handler.read_bytes()
    inject(service=shop, fault=fault, actor=None, now=timezone.now())
    wait_for(lambda: answers(shop))
    assert probe(shop).state == "healthy", "every answer is right"

    beat = Beat(shop)
    incident = beat.until_degraded()
    assert incident.title == f"Shop API: {title}"
    incident = run(incident)

    assert incident.severity == "low"
    diagnosis = incident.diagnoses.get()
    assert (diagnosis.category, diagnosis.file) == ("resource", "handler.py")
    assert diagnosis.cited
    fix = incident.fixes.get(state=Fix.State.CHOSEN)
    assert fix.writes, "a restart alone repairs no cause, and the copies show it"
    assert fix.trial.receipt["growth"]["verdict"] == "ok"
    assert fix.trial.reproduced is True
    assert incident.status == Status.RESOLVED
    assert handler.read_bytes().count(b"\n") <= good.count(b"\n") + 5, "what kept it is gone"
    beat.look()
    assert ServiceHealth.objects.get(service=shop).state == "healthy"
    assert Incident.objects.filter(service=shop).count() == 1


def test_a_leak_that_no_change_explains_is_restarted_and_owed(shop: Service) -> None:
    handler = Path(shop.directory) / "handler.py"
    inject(service=shop, fault="memory_leak", actor=None, now=timezone.now())
    shop.injections.update(restored_at=timezone.now())
    wait_for(lambda: answers(shop))
    probe(shop)
    shop.snapshots.all().delete()  # it has always been so
    restart(shop)
    leaking = handler.read_bytes()

    beat = Beat(shop)
    incident = run(beat.until_degraded())

    fix = incident.fixes.get(state=Fix.State.CHOSEN)
    assert not fix.writes
    assert fix.restarts
    assert incident.status == Status.RESOLVED
    assert handler.read_bytes() == leaking
    assert Debt.objects.get(service=shop).restarts == 1
    beat.look()
    assert ServiceHealth.objects.get(service=shop).state == "healthy"
