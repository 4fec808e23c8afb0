"""The four faults of the product, from injection to the end, with real parts in one process and limits on the time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from incidents.models import Fix, Incident
from incidents.pipeline import approvals, detect
from incidents.states import Status
from monitoring.faults.injection import inject
from monitoring.models import Service
from teams.models import User
from tests.incidents.world import answers, probe, run, running_shop, wait_for

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


def test_slow_heals_by_itself(shop: Service, shweta: User) -> None:
    incident = run(broken(shop, "slow"))

    assert_healed_alone(incident)
    diagnosis = incident.diagnoses.get()
    assert (diagnosis.category, diagnosis.file) == ("slow", "handler.py")
    assert answers(shop) == 200
    assert b"time.sleep" not in files(shop)["handler.py"]


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
