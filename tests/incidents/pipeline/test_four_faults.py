"""The four faults of the product, from injection to the end, with real parts in one process and limits on the time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from incidents.models import Fix, Incident
from incidents.pipeline import approvals, detect
from incidents.states import Status
from monitoring.faults.injection import inject
from monitoring.models import HealthChange, Service
from teams.models import User
from tests.incidents.world import answers, probe, restart, run, running_shop, wait_for

COMMON_HEADERS = 'return {"X-Request-Id": request.request_id, "X-App-Version": VERSION}'
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a healthy shop with a last known good state."""
    with running_shop(tmp_path / "shop") as service:
        yield service


def broken(service: Service, fault: str) -> Incident:
    """Inject the fault and return the incident that follows."""
    injection = inject(service=service, fault=fault, actor=None, now=timezone.now())
    wait_for(lambda: probe(service).state in {"down", "degraded"})
    incident = opened()
    assert incident.caused_by_id == injection.pk
    return incident


def opened() -> Incident:
    """Have the changes of health looked at, and return the incident that they opened."""
    (number,) = detect.consume_changes(now=timezone.now())
    return Incident.objects.select_related("service").get(pk=number)


def story(incident: Incident) -> list[str]:
    return [
        f"{entry.at:%S.%f} {entry.duration_ms} {entry.text}" for entry in incident.timeline.all()
    ]


def files(service: Service) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(service.directory).glob("*.*")}


def test_a_bug_heals_by_itself(shop: Service, shweta: User) -> None:
    good = files(shop)
    incident = run(broken(shop, "bug"))

    assert_healed_alone(incident)
    diagnosis = incident.diagnoses.get()
    assert (diagnosis.category, diagnosis.file) == ("code", "handler.py")
    assert line_of(shop, diagnosis.line, good) == COMMON_HEADERS
    assert answers(shop) == 200
    assert files(shop) == good


def test_slow_heals_by_itself_and_its_proof_takes_no_longer_than_one_timeout(
    shop: Service, shweta: User
) -> None:
    incident = run(broken(shop, "slow"))

    assert_healed_alone(incident)
    diagnosis = incident.diagnoses.get()
    assert (diagnosis.category, diagnosis.file) == ("slow", "handler.py")
    assert answers(shop) == 200
    assert b"time.sleep" not in files(shop)["handler.py"]
    receipt = incident.fixes.get(state=Fix.State.CHOSEN).trial.receipt
    assert receipt["requests"][0]["before"]["failure"] == "timeout"
    without, fixed = receipt["start_up_without"]["seconds"], receipt["start_up"]["seconds"]
    assert without < fixed + shop.timeout + 1.5


def assert_healed_alone(incident: Incident) -> None:
    assert (incident.status, incident.auto_resolved) == (Status.RESOLVED, True), story(incident)
    assert incident.severity == "medium"
    assert incident.fixes.get(state=Fix.State.CHOSEN).trial.reproduced


def line_of(service: Service, number: int | None, tree: dict[str, bytes]) -> str:
    """Return a line of the shop's handler as it was."""
    assert number is not None
    return tree["handler.py"].decode().split("\n")[number - 1].strip()


@pytest.mark.parametrize(("fault", "category"), [("crash", "crash"), ("bad_config", "config")])
def test_crash_and_bad_config_are_blockers_that_wait_for_the_lead(
    shop: Service, shweta: User, yash: User, fault: str, category: str
) -> None:
    good = files(shop)
    incident = run(broken(shop, fault))

    assert (incident.status, incident.severity) == (Status.AWAITING_APPROVAL, "blocker"), story(
        incident
    )
    assert incident.diagnoses.get().category == category
    assert "Shweta" in incident.waits_for
    fix = incident.fixes.get(state=Fix.State.CHOSEN)
    assert fix.trial.passed, fix.trial.reason
    approvals.authorise(incident_id=incident.pk, fix_digest=fix.digest, person=shweta)
    incident = run(incident)

    assert (incident.status, incident.auto_resolved) == (Status.RESOLVED, False), story(incident)
    assert answers(shop) == 200
    assert files(shop) == good


def test_a_planned_restart_and_the_restart_of_an_injection_open_nothing_extra(
    shop: Service, shweta: User
) -> None:
    with probed_all_the_time(shop):
        restart(shop)
        wait_for(lambda: answers(shop) == 200)
    failing = HealthChange.objects.filter(service=shop, after__in=["down", "degraded"])
    assert [change.verdict for change in failing] == []
    with probed_all_the_time(shop):
        inject(service=shop, fault="bug", actor=None, now=timezone.now())
        wait_for(lambda: probe(shop).state == "down")
    assert len(detect.consume_changes(now=timezone.now())) == 1
    assert Incident.objects.get().failure["error_type"] == "NameError"


@contextmanager
def probed_all_the_time(service: Service) -> Iterator[None]:
    """Probe in a thread of its own, much more often than a beat would."""
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.wait(0.02):
                probe(service)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
