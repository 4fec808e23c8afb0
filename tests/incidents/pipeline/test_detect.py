"""Detection: one incident per cause, whatever the noise, and nothing that fails is ever lost."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.models import Deployment, Incident
from incidents.pipeline import detect, fates
from incidents.queries import page
from incidents.states import Status, Step
from incidents.values import Failure
from monitoring.models import FaultInjection, HealthChange, Service, ServiceHealth
from teams.models import User
from tests.incidents import made, rows

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
_ports = itertools.count(5000)


@dataclass
class World:
    """One service, the changes of its health, and a clock that tests move."""

    service: Service
    now: datetime = NOON
    opened: list[int] = field(default_factory=list)

    def later(self, seconds: float) -> World:
        self.now += timedelta(seconds=seconds)
        return self

    def change(self, before: str, after: str, **verdict: Any) -> HealthChange:
        ServiceHealth.objects.update_or_create(
            service=self.service, defaults={"state": after, "since": self.now}
        )
        symptom = verdict.pop("symptom", "http_error" if after in {"down", "degraded"} else "")
        return HealthChange.objects.create(
            service=self.service,
            before=before,
            after=after,
            symptom=symptom,
            verdict={"health": after, "symptom": symptom, "path": "/health", **verdict},
            at=self.now,
        )

    def fails(self, error: str = "NameError", **verdict: Any) -> HealthChange:
        return self.change("healthy", "down", error_type=error, status=500, **verdict)

    def is_well(self) -> HealthChange:
        return self.change("down", "healthy")

    def look(self) -> list[int]:
        found = detect.consume_changes(now=self.now)
        self.opened += found
        return found

    def incidents(self) -> list[Incident]:
        return list(Incident.objects.filter(service=self.service).order_by("pk"))

    def only(self) -> Incident:
        (incident,) = self.incidents()
        return incident


def service_named(name: str = "Orders", **fields: Any) -> Service:
    port = next(_ports)
    return Service.objects.create(
        name=name, slug=f"{name.lower()}-{port}", directory="/srv/x", command=["python3"], port=port, **fields
    )  # fmt: skip


@pytest.fixture(autouse=True)
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rows be written at the times of the story."""
    monkeypatch.setattr("incidents.pipeline.relapses.timezone.now", lambda: World.now)


@pytest.fixture
def world() -> World:
    """Return a world at noon."""
    return World(service_named())


def kinds(incident: Incident) -> list[str]:
    return list(incident.timeline.values_list("kind", flat=True))


def test_a_failure_opens_one_incident(world: World) -> None:
    world.fails()
    assert len(world.look()) == 1
    assert world.look() == []
    incident = world.only()
    assert (incident.status, incident.failed_since) == (Status.DETECTED, NOON)
    assert incident.title == "Orders: NameError on GET /health"


@pytest.mark.parametrize(
    ("error_type", "words"),
    [("absent", "no process"), ("", "no process"), ("SIGKILL", "process ended (SIGKILL)")],
)
def test_a_process_that_is_gone_is_not_blamed_on_a_request(
    world: World, error_type: str, words: str
) -> None:
    gone = Failure(symptom="no_process", error_type=error_type, method="GET", path="/health")
    assert detect.headline(world.service, gone) == f"Orders: {words}"


def test_the_same_cause_joins_and_another_gets_its_own(world: World) -> None:
    world.fails()
    world.later(5).fails("KeyError")
    world.later(5).fails()
    assert len(world.look()) == 2
    assert [one.joined for one in world.incidents()] == [1, 0]


def test_endless_joins_are_counted_and_not_told_each(world: World) -> None:
    world.fails()
    world.look()
    for _ in range(150):
        world.later(1).fails()
    world.look()
    incident = world.only()
    assert incident.joined == 150
    assert kinds(incident).count("joined") == 3  # the 1st, the 10th and the 100th


def test_a_service_that_fails_in_ever_new_ways_has_a_bounded_number_of_incidents(
    world: World, settings: Any
) -> None:
    settings.MAX_OPEN_PER_SERVICE = 4
    for number in range(30):
        world.later(1).fails(f"{chr(65 + number % 26)}{number}Error")
    world.look()
    assert len(world.incidents()) == 4
    assert sum(one.joined for one in world.incidents()) == 26


def test_the_same_cause_within_15_minutes_reopens_with_the_new_observation(world: World) -> None:
    world.fails(detail="first")
    world.look()
    world.later(30).is_well()
    world.look()
    assert world.only().status == Status.RECOVERED
    Incident.objects.update(ended_at=world.now)
    world.later(14 * 60).fails(detail="second")
    world.look()
    incident = world.only()
    assert (incident.status, incident.step) == (Status.INVESTIGATING, Step.COLLECT)
    assert (incident.reopened, incident.attempt, incident.ended_at) == (1, 2, None)
    assert incident.failure["detail"] == "second"
    assert incident.failed_since == world.now


def test_one_that_the_fix_of_another_healed_does_not_say_that_it_was_without_us(
    world: World, shweta: User
) -> None:
    world.fails("KeyError")
    world.look()
    incident = world.only()
    other = rows.resolved(world.service, shweta, at=incident.detected_at + timedelta(seconds=5))
    world.later(10).is_well()
    world.look()
    incident.refresh_from_db()
    assert incident.status == Status.RECOVERED
    said = page.head(page.load(incident.pk))["asked"]
    assert said == f"The service is healthy again since the fix of incident {other.pk} is live."


@pytest.mark.parametrize("which", ["its own", "undone", "earlier", "of another service"])
def test_a_fix_that_did_not_help_is_not_named(world: World, shweta: User, which: str) -> None:
    world.fails("KeyError")
    world.look()
    incident = world.only()
    at = incident.detected_at + timedelta(seconds=-60 if which == "earlier" else 5)
    of = made.service() if which == "of another service" else world.service
    other = rows.resolved(of, shweta, at=at)
    if which == "its own":  # of an earlier attempt: the incident was reopened since
        other.deployments.update(incident=incident)
    if which == "undone":
        other.deployments.update(state=Deployment.State.UNDONE)
    world.later(10).is_well()
    world.look()
    said = incident.timeline.get(kind="recovered").text
    assert said == "The service is healthy again without us."


def test_after_15_minutes_it_is_a_new_incident(world: World) -> None:
    world.fails()
    world.look()
    world.later(30).is_well()
    world.look()
    Incident.objects.update(ended_at=world.now)
    world.later(15 * 60 + 1).fails()
    world.look()
    assert [one.status for one in world.incidents()] == [Status.RECOVERED, Status.DETECTED]


def test_another_cause_does_not_reopen(world: World) -> None:
    world.fails()
    world.look()
    world.later(5).is_well()
    world.look()
    Incident.objects.update(ended_at=world.now)
    world.later(5).fails("KeyError")
    world.look()
    assert len(world.incidents()) == 2


def test_a_failure_that_was_over_before_anybody_looked_is_recorded_and_ended(world: World) -> None:
    world.fails()
    world.later(2).is_well()
    world.later(60).look()
    assert world.only().status == Status.RECOVERED


def test_a_recovery_ends_no_incident_that_failed_after_it(world: World) -> None:
    world.is_well()
    world.later(1).fails()
    world.look()
    assert world.only().status == Status.DETECTED


@pytest.mark.parametrize("status", [Status.DEPLOYING, Status.VERIFYING, Status.RESOLVED])
def test_a_recovery_leaves_an_incident_alone_whose_fix_is_under_way(
    world: World, status: Status
) -> None:
    world.fails()
    world.look()
    Incident.objects.update(status=status)
    world.later(1).is_well()
    world.look()
    assert world.only().status == status


# --- flapping ---------------------------------------------------------------------------------------


def flap(world: World, times: int) -> None:
    for _ in range(times):
        world.later(5).fails()
        world.look()
        world.later(5).is_well()
        world.look()
        Incident.objects.filter(status=Status.RECOVERED, ended_at__gt=world.now).update(
            ended_at=world.now
        )


def test_a_service_that_flaps_has_one_incident_kept_open_and_it_is_said_once(world: World) -> None:
    flap(world, 50)
    incident = world.only()
    assert incident.is_open
    assert kinds(incident).count("flapping") == 1
    assert kinds(incident).count("recovered") <= 2
    assert incident.reopened <= 2
    assert incident.joined >= 40


def test_a_held_incident_ends_when_the_service_has_been_steady(world: World) -> None:
    flap(world, 4)
    assert world.only().is_open
    world.later(119).look()
    assert world.only().is_open
    world.later(2).look()
    assert world.only().status == Status.RECOVERED


def test_a_held_incident_stays_open_while_the_service_is_down(world: World) -> None:
    flap(world, 4)
    world.later(5).fails()
    world.later(500).look()
    assert world.only().is_open


def test_few_changes_over_a_long_time_are_no_flapping(world: World) -> None:
    for _ in range(6):
        world.later(590).fails()
        world.look()
        world.later(10).is_well()
        world.look()
    assert not any("flapping" in kinds(one) for one in world.incidents())


def test_faults_that_people_inject_are_no_flapping(world: World) -> None:
    for number in range(6):
        injection = FaultInjection.objects.create(
            service=world.service, fault="crash", at=world.later(1).now
        )
        world.later(1).fails(f"E{number}Error")
        world.look()
        FaultInjection.objects.filter(pk=injection.pk).update(restored_at=world.later(1).now)
        world.later(2).is_well()
        world.look()
    assert {one.status for one in world.incidents()} == {Status.RECOVERED}


def test_one_service_that_flaps_holds_no_other(world: World) -> None:
    flap(world, 6)
    other = World(service_named("Payments"), now=world.now)
    other.later(5).fails()
    other.look()
    other.later(5).is_well()
    other.look()
    assert other.only().status == Status.RECOVERED


# --- services that are not to be looked at ------------------------------------------------------------


def test_a_change_in_maintenance_waits_and_what_was_over_by_its_end_opens_nothing(
    world: World,
) -> None:
    Service.objects.update(maintenance_until=NOON + timedelta(minutes=10))
    world.later(60).fails()
    world.later(60).is_well()
    assert world.look() == []
    assert HealthChange.objects.filter(consumed_at=None).count() == 2
    world.later(600).look()
    assert world.incidents() == []
    assert not HealthChange.objects.filter(consumed_at=None).exists()


def test_what_still_fails_when_the_maintenance_ends_opens_an_incident(world: World) -> None:
    Service.objects.update(maintenance_until=NOON + timedelta(minutes=10))
    world.later(60).fails()
    world.look()
    world.later(600).look()
    assert world.only().status == Status.DETECTED


def test_a_disabled_service_opens_nothing_and_leaves_nothing_behind(world: World) -> None:
    world.fails()
    Service.objects.update(enabled=False)
    assert world.look() == []
    assert not HealthChange.objects.filter(consumed_at=None).exists()
    assert world.incidents() == []


def test_a_paused_service_still_has_its_incident_for_people_to_see(world: World) -> None:
    Service.objects.update(paused=True)
    world.fails()
    world.look()
    assert world.only().status == Status.DETECTED


def test_unknown_health_opens_nothing(world: World) -> None:
    world.change("healthy", "unknown", symptom="stopped")
    world.look()
    assert world.incidents() == []


# --- our own deployments ------------------------------------------------------------------------------


def deployed(world: World, **fields: Any) -> Deployment:
    """Have an incident of another cause whose fix is being deployed since now."""
    incident = made.incident(service=world.service, fingerprint="other")
    deployment = made.deployed(incident)
    Deployment.objects.filter(pk=deployment.pk).update(started_at=world.now, **fields)
    return deployment


def test_a_failure_during_a_deployment_waits_for_its_verification(world: World) -> None:
    deployed(world, state="written", healthy_at=None, undone_at=None)
    world.later(1).fails()
    assert world.look() == []
    assert HealthChange.objects.filter(consumed_at=None).exists()


def test_it_is_dropped_when_the_service_is_well_afterwards(world: World) -> None:
    deployment = deployed(world, state="written", healthy_at=None, undone_at=None)
    world.later(1).fails()
    world.look()
    Deployment.objects.filter(pk=deployment.pk).update(
        state="healthy", healthy_at=world.later(1).now
    )
    world.look()
    world.later(1).is_well()
    world.later(1).look()
    assert Incident.objects.filter(service=world.service).count() == 1
    assert not HealthChange.objects.filter(consumed_at=None).exists()


def test_a_second_cause_that_began_during_a_deployment_is_not_lost(world: World) -> None:
    deployment = deployed(world, state="written", healthy_at=None, undone_at=None)
    world.later(1).fails("KeyError")
    world.look()
    Deployment.objects.filter(pk=deployment.pk).update(
        state="healthy", healthy_at=world.later(1).now
    )
    assert world.later(5).look() == []
    assert len(world.later(6).look()) == 1
    assert world.incidents()[-1].failure["error_type"] == "KeyError"


def test_a_service_that_waits_holds_up_no_other(world: World) -> None:
    deployed(world, state="written", healthy_at=None, undone_at=None)
    world.later(1).fails()
    other = World(service_named("Payments"), now=world.now)
    other.fails()
    assert len(other.look()) == 1


# --- load ---------------------------------------------------------------------------------------------


def test_a_burst_of_500_changes_is_consumed_quickly(world: World) -> None:
    others = [World(service_named(f"S{n}"), now=world.now) for n in range(100)]
    for number in range(500):
        others[number % 100].fails()
    began = time.process_time()  # others share the machine
    with CaptureQueriesContext(connection) as queries:
        assert len(world.look()) == 100
    took = time.process_time() - began
    assert not HealthChange.objects.filter(consumed_at=None).exists()
    assert len(queries) < 500 * 16
    assert took < 8, took


def test_two_consumers_act_once(world: World) -> None:
    change = world.fails()
    HealthChange.objects.filter(pk=change.pk).update(consumed_at=world.now)
    change.consumed_at = None
    assert detect._consume(change, fates.Fate.ACT, world.now) is None
    assert world.incidents() == []
