"""A relapse with another error in the watch window: the kept bytes go back, unless something else is the nearer cause."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from incidents.engine.fingerprints import fingerprint
from incidents.models import Deployment, Evidence, Incident
from incidents.pipeline import detect, recovery
from incidents.queries import page
from incidents.states import Status
from incidents.values import Failure
from monitoring import providers, snapshots
from monitoring.models import Blob, FaultInjection, HealthChange, Service
from teams.models import User
from tests.fakes.runtime import FakeRuntime
from tests.incidents import made
from tests.incidents.world import (
    answers,
    detected,
    insert,
    probe,
    restart,
    run,
    running_shop,
    wait_for,
)

BUG = "    ledger_of_visits.append(request)\n"
TRIP = (
    "    if __import__('pathlib').Path('data/trip').exists():\n        raise LookupError('tripped')\n"
    "    if __import__('pathlib').Path('data/die').exists():\n        __import__('os')._exit(3)\n"
)
PLACE = "endpoint, params = ROUTER.find"


# --- with a real shop ---------------------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a healthy shop whose last known good fails otherwise as soon as its data say so."""
    with running_shop(tmp_path / "shop") as service:
        insert(handler(service), PLACE, TRIP)
        restart(service)
        wait_for(lambda: probe(service).state == "healthy")
        assert snapshots.capture(service=service, reason="test", now=timezone.now())
        yield service


def handler(service: Service) -> Path:
    return Path(service.directory, "handler.py")


def healed(service: Service) -> Incident:
    """Return an incident whose fix has just gone live, in its watch window."""
    insert(handler(service), PLACE, BUG)
    restart(service)
    incident = run(detected(service))
    assert incident.status == Status.RESOLVED, [entry.text for entry in incident.timeline.all()]
    wait_for(lambda: probe(service).state == "healthy")
    return incident


def next_incident(service: Service) -> Incident:
    """Return the incident that the next failure leads to, run as far as it goes."""
    wait_for(lambda: probe(service).state in {"down", "degraded"})
    ids = detect.consume_changes(now=timezone.now())
    return run(Incident.objects.get(pk=ids[-1]))


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["trip", "die"])
def test_another_error_on_exactly_the_deployed_files_is_undone_and_escalated(
    shop: Service, shweta: User, how: str
) -> None:
    incident = healed(shop)
    Path(shop.directory, "data", how).write_text("")
    again = next_incident(shop)
    assert again.pk == incident.pk
    assert (again.status, again.reopened) == (Status.ESCALATED, 1)
    deployment = again.deployments.get()
    assert deployment.state == "undone"
    assert "fails otherwise than before" in deployment.outcome
    assert BUG in handler(shop).read_text(), "exactly the bytes before the deploy"
    assert again.timeline.filter(kind="relapse", text__contains="did not fail before").exists()
    probe(shop)
    detect.consume_changes(now=timezone.now())
    assert Incident.objects.filter(service=shop).count() == 1


@pytest.mark.slow
def test_healthy_again_after_an_undo_is_not_said_to_be_without_us(
    shop: Service, shweta: User
) -> None:
    incident = healed(shop)
    Path(shop.directory, "data", "trip").write_text("")
    assert next_incident(shop).status == Status.ESCALATED
    Path(shop.directory, "data", "trip").unlink()
    handler(shop).write_text(handler(shop).read_text().replace(BUG, ""))
    restart(shop)
    wait_for(lambda: probe(shop).state == "healthy")
    detect.consume_changes(now=timezone.now())
    incident.refresh_from_db()
    assert incident.status == Status.RECOVERED
    assert incident.timeline.filter(kind="recovered").get().text == recovery.AFTER_UNDO
    head = page.head(page.load(incident.pk))
    assert (head["asked"], head["asked_tone"]) == (page.AFTER_UNDO, "warn")


@pytest.mark.slow
def test_files_that_somebody_changed_since_are_a_trouble_of_their_own(
    shop: Service, shweta: User
) -> None:
    incident = healed(shop)
    with Path(shop.directory, "messages.py").open("a") as text:
        text.write("\n# a word of somebody else\n")
    Path(shop.directory, "data", "trip").write_text("")
    other = next_incident(shop)
    assert other.pk != incident.pk
    assert incident.deployments.get().state == "healthy"
    assert BUG not in handler(shop).read_text()


@pytest.mark.slow
def test_a_kill_from_outside_after_a_code_fix_is_no_relapse(shop: Service, shweta: User) -> None:
    incident = healed(shop)
    providers.writer(shop.spec()).kill(shop.spec(), signal.SIGKILL)
    wait_for(lambda: answers(shop) == 0)
    other = next_incident(shop)
    assert other.pk != incident.pk
    assert other.failure["error_type"] == "SIGKILL"
    assert incident.deployments.get().state == "healthy"


# --- each piece of evidence by itself -----------------------------------------------------------------

FAILURE = Failure(symptom="http_error", error_type="LookupError", path="/health", status=500)
BEFORE, AFTER = {"a.py": b"bad", "b.py": b"x"}, {"a.py": b"good", "b.py": b"x"}


@pytest.fixture
def runtime(settings: LazySettings) -> FakeRuntime:
    """Return the runtime that holds the services' files."""
    fake = FakeRuntime()
    settings.MONITORING_RUNTIMES = {"local": fake}
    return fake


@pytest.fixture
def deployment(runtime: FakeRuntime, matrix: None) -> Deployment:
    """Return a deployment in its watch window, its files in place."""
    now = timezone.now()
    service = made.service(environment={"MODE": "live"})
    incident = made.incident(service, status=Status.RESOLVED, ended_at=now, detected_at=now)
    row = made.deployed(
        incident,
        started_at=now - timedelta(seconds=30),
        healthy_at=now - timedelta(seconds=20),
        watch_until=now + timedelta(seconds=100),
    )
    old, new = Blob.keep(BEFORE), Blob.keep(AFTER)
    row.fix.writes = {"a.py": {"before": old["a.py"], "after": new["a.py"]}}
    row.fix.save()
    Evidence.objects.create(
        incident=incident, attempt=1, current=old, environment=dict(service.environment)
    )
    runtime.trees[service.slug] = dict(AFTER)
    return row


def seen(deployment: Deployment, failure: Failure = FAILURE) -> None:
    """Have a failure detected now."""
    verdict = {name: getattr(failure, name) for name in Failure.__dataclass_fields__}
    HealthChange.objects.create(
        service=deployment.incident.service,
        before="healthy",
        after="down",
        symptom=failure.symptom,
        verdict=verdict,
        at=timezone.now(),
    )
    detect.consume_changes(now=timezone.now() + timedelta(seconds=60))


def is_relapse(deployment: Deployment, failure: Failure = FAILURE) -> bool:
    seen(deployment, failure)
    same = Incident.objects.get(pk=deployment.incident_id)
    alone = Incident.objects.filter(service=same.service, status="DETECTED").count() == 0
    assert alone is (same.status == Status.ROLLED_BACK)
    return alone


@pytest.mark.parametrize(
    ("failure", "relapse"),
    [
        (FAILURE, True),
        (replace(FAILURE, symptom="no_process", error_type="exit 3"), True),
        (replace(FAILURE, symptom="no_process", error_type="SIGSEGV"), True),
        (replace(FAILURE, symptom="timeout", error_type="timeout"), True),
        (replace(FAILURE, symptom="wrong_answer", error_type="stock"), True),
        (replace(FAILURE, symptom="no_process", error_type="SIGKILL"), False),
        (replace(FAILURE, symptom="no_process", error_type="SIGTERM"), False),
        (replace(FAILURE, symptom="no_process", error_type="absent"), False),
        (replace(FAILURE, symptom="slow", error_type=""), False),
        (replace(FAILURE, symptom="resources", error_type="memory"), False),
    ],
    ids=lambda value: f"{value.symptom} {value.error_type}" if isinstance(value, Failure) else "",
)
def test_what_kind_of_failure_counts(
    deployment: Deployment, failure: Failure, relapse: bool
) -> None:
    assert is_relapse(deployment, failure) is relapse


def edited(deployment: Deployment, runtime: FakeRuntime) -> None:
    runtime.trees[deployment.incident.service.slug]["b.py"] = b"y"


def unreadable(deployment: Deployment, runtime: FakeRuntime) -> None:
    runtime.refuse["read_tree"] = "the disk is gone"


def another_environment(deployment: Deployment, runtime: FakeRuntime) -> None:
    Service.objects.filter(pk=deployment.incident.service_id).update(environment={"MODE": "x"})


def drilled(deployment: Deployment, runtime: FakeRuntime) -> None:
    FaultInjection.objects.create(service=deployment.incident.service, fault="crash")


def known(deployment: Deployment, runtime: FakeRuntime) -> None:
    service = deployment.incident.service
    made.incident(
        service,
        fingerprint=fingerprint(service.slug, FAILURE),
        status=Status.CLOSED,
        detected_at=deployment.started_at - timedelta(days=1),
    )


def only_restarted(deployment: Deployment, runtime: FakeRuntime) -> None:
    deployment.fix.writes = {}
    deployment.fix.save()
    runtime.trees[deployment.incident.service.slug] = dict(BEFORE)


def over(deployment: Deployment, runtime: FakeRuntime) -> None:
    Deployment.objects.update(watch_until=timezone.now() - timedelta(seconds=1))


def settled(deployment: Deployment, runtime: FakeRuntime) -> None:
    Deployment.objects.update(settled_at=timezone.now())


@pytest.mark.parametrize(
    "nearer",
    [edited, unreadable, another_environment, drilled, known, only_restarted, over, settled],
)
def test_a_nearer_cause_is_a_trouble_of_its_own(
    deployment: Deployment,
    runtime: FakeRuntime,
    nearer: Callable[[Deployment, FakeRuntime], Any],
) -> None:
    nearer(deployment, runtime)
    assert is_relapse(deployment) is False
    assert Deployment.objects.get().outcome == ""


def test_further_failures_until_the_undo_is_done_are_joined(deployment: Deployment) -> None:
    seen(deployment)
    seen(deployment, replace(FAILURE, error_type="OSError"))
    Deployment.objects.update(state="undone", undone_at=timezone.now() + timedelta(seconds=1))
    Incident.objects.update(status=Status.ESCALATED)
    seen(deployment, replace(FAILURE, error_type="TypeError"))
    incident = Incident.objects.get()
    assert (incident.joined, incident.reopened) == (3, 1)
    Deployment.objects.update(undone_at=timezone.now() - timedelta(seconds=5))
    seen(deployment, replace(FAILURE, error_type="ValueError"))
    assert Incident.objects.count() == 2, "what fails after the undo is not the fix's doing"
