"""The switch and the time after it: an old proof is repeated, what becomes worse is undone, people stop it at any step."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from incidents.models import AgentState, Deployment, Fix, Incident
from incidents.pipeline import approvals, runner, verify
from incidents.pipeline.gates import Conflict
from incidents.states import Status, Step
from monitoring import providers, quality
from monitoring.models import RecordedExchange, Service, ServiceHealth
from teams.models import User
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

pytestmark = pytest.mark.django_db(transaction=True)
BUG = "    ledger_of_visits.append(request)\n"


@pytest.fixture
def shop(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a healthy shop with a last known good state."""
    with running_shop(tmp_path / "shop") as service:
        yield service


def handler(service: Service) -> Path:
    return Path(service.directory, "handler.py")


def with_bug(service: Service) -> Incident:
    insert(handler(service), "endpoint, params = ROUTER.find", BUG)
    restart(service)
    return detected(service)


def asked(service: Service) -> tuple[Incident, Fix]:
    """Return an incident that asks about its proved fix."""
    Service.objects.filter(pk=service.pk).update(autonomy="ask")
    incident = run(with_bug(service))
    assert incident.status == Status.AWAITING_APPROVAL
    return incident, incident.fixes.get(state=Fix.State.CHOSEN)


def recorded(service: Service, *, at: Any, many: int, **seen: Any) -> None:
    what = {"source": "shop", "method": "GET", "path": "/", "elapsed_ms": 5.0} | seen
    rows = [RecordedExchange(service=service, at=at, **what) for _ in range(many)]
    RecordedExchange.objects.bulk_create(rows)


def test_an_old_proof_is_repeated_before_the_switch(
    shop: Service, shweta: User, settings: Any
) -> None:
    incident, fix = asked(shop)
    settings.TRIAL_VALID_SECONDS = 0.0
    approvals.authorise(incident_id=incident.pk, fix_digest=fix.digest, person=shweta)
    incident = run(incident)
    assert incident.status == Status.RESOLVED
    assert incident.timeline.filter(kind="shadow").exists()


def test_a_proof_that_does_not_hold_on_the_data_of_now_stops_the_switch(
    shop: Service, shweta: User, settings: Any
) -> None:
    incident, fix = asked(shop)
    settings.TRIAL_VALID_SECONDS = 0.0
    for path in Path(shop.directory, "data").glob("*"):
        path.write_bytes(b"this is no database any more")
    approvals.authorise(incident_id=incident.pk, fix_digest=fix.digest, person=shweta)
    incident = run(incident)
    assert incident.deployments.count() == 0
    assert incident.attempt == 2
    voided = incident.timeline.get(kind="voided")
    assert "repeated right before the switch" in voided.text


@pytest.mark.parametrize("ms", [5.0, 900.0], ids=["errors", "latency"])
def test_a_service_that_becomes_worse_in_the_watch_window_gets_its_old_bytes_back(
    shop: Service, shweta: User, ms: float
) -> None:
    recorded(shop, at=timezone.now() - timedelta(seconds=60), good=True, many=20)
    incident = run(with_bug(shop))
    assert incident.status == Status.RESOLVED
    assert verify.settle_watched(now=timezone.now()) == []
    later = timezone.now() + timedelta(seconds=5)
    recorded(shop, at=later, good=ms > 100, elapsed_ms=ms, many=20)

    verify.settle_watched(now=later + timedelta(seconds=1))
    incident = run(Incident.objects.get(pk=incident.pk))

    assert incident.status == Status.ESCALATED
    assert incident.reopened == 1
    deployment = incident.deployments.get()
    assert deployment.state == "undone"
    assert "became worse" in deployment.outcome
    assert "before the fault" in deployment.outcome
    assert "ledger_of_visits" in handler(shop).read_text()  # exactly the bytes before the deploy


def test_a_service_that_answers_as_before_settles(shop: Service, shweta: User) -> None:
    recorded(shop, at=timezone.now() - timedelta(seconds=60), good=True, many=20)
    incident = run(with_bug(shop))
    wait_for(lambda: probe(shop).state == "healthy")
    recorded(shop, at=timezone.now(), good=True, many=20)
    later = timezone.now() + timedelta(seconds=shop.watch_seconds + 1)
    assert verify.settle_watched(now=later) == [incident.deployments.get().pk]


def test_a_restart_by_somebody_else_in_the_watch_window_speaks_against_no_fix(
    shop: Service, shweta: User
) -> None:
    recorded(shop, at=timezone.now() - timedelta(seconds=60), good=True, many=20)
    incident = run(with_bug(shop))
    later = timezone.now() + timedelta(seconds=5)
    recorded(shop, at=later, good=False, failure="refused", many=20)
    recorded(shop, at=later, good=False, failure="reset", many=20)
    recorded(shop, at=later, good=True, status=200, many=5)
    verify.settle_watched(now=later + timedelta(seconds=1))
    assert Incident.objects.get(pk=incident.pk).status == Status.RESOLVED


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ((50, 0.0, 10.0), (50, 0.2, 10.0), "20% of 50 answers failed, 0% before"),
        ((50, 0.0, 10.0), (4, 1.0, 10.0), ""),
        ((50, 0.3, 10.0), (50, 0.35, 10.0), ""),
        ((50, 0.0, 10.0), (50, 0.0, 150.0), ""),
        ((50, 0.0, 100.0), (50, 0.0, 350.0), "350 ms, 100 ms before"),
        ((0, 0.0, None), (50, 0.0, 350.0), ""),
    ],
)
def test_worse_is_told_from_chance(
    before: tuple[int, float, float | None], after: tuple[int, float, float], says: str
) -> None:
    limits = quality.Limits(error_share=0.1, factor=3, least_ms=200, least_count=5)
    seen = [quality.Quality(count=c, error_share=e, p95_ms=p) for c, e, p in (before, after)]
    said = quality.worse(seen[0], seen[1], limits)
    assert bool(said) is bool(says)
    assert says in said


def test_the_undo_of_a_restart_leaves_what_ran_before_running(shop: Service, shweta: User) -> None:
    providers.writer(shop.spec()).kill(shop.spec(), signal.SIGKILL)
    wait_for(lambda: answers(shop) == 0)
    incident = run(detected(shop))
    digest = incident.fixes.get(state=Fix.State.CHOSEN).digest
    approvals.authorise(incident_id=incident.pk, fix_digest=digest, person=shweta)
    incident = run(incident)
    wait_for(lambda: probe(shop).state == "healthy")
    providers.writer(shop.spec()).kill(shop.spec(), signal.SIGKILL)
    wait_for(lambda: answers(shop) == 0)
    relapsed = detected_again(shop, incident)
    assert relapsed.deployments.get().state == "undone"
    wait_for(lambda: answers(shop) == 200)


def detected_again(service: Service, incident: Incident) -> Incident:
    """Have the relapse noticed, and the undo run."""
    incident_again = detected(service)
    assert incident_again.pk == incident.pk
    assert incident_again.status == Status.ROLLED_BACK
    return run(incident_again)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["before:verify", "inside:verify.undo", "after:verify"])
def test_a_kill_in_an_undo_ends_in_one_undo(
    shop: Service, shweta: User, point: str, settings: Any
) -> None:
    recorded(shop, at=timezone.now() - timedelta(seconds=60), good=True, many=20)
    incident = run(with_bug(shop))
    later = timezone.now() + timedelta(seconds=5)
    recorded(shop, at=later, good=False, many=20)
    verify.settle_watched(now=later + timedelta(seconds=1))

    command = [sys.executable, "-m", "tests.incidents.pipeline.killed_run"]
    arguments = [str(connection.settings_dict["NAME"]), str(incident.pk), point]
    ended = subprocess.run([*command, *arguments], timeout=60, capture_output=True, check=False)  # noqa: S603
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
    Incident.objects.filter(pk=incident.pk).update(lease_until=timezone.now())
    runner.resume_stalled(now=timezone.now())
    incident = run(Incident.objects.get(pk=incident.pk))

    assert incident.status == Status.ESCALATED
    assert incident.deployments.get().state == "undone"
    assert "ledger_of_visits" in handler(shop).read_text()


# --- people win, at every step --------------------------------------------------------------------


def pause(service: Service) -> None:
    state = AgentState.now()
    state.paused = True
    state.save()


def freeze(service: Service) -> None:
    state = AgentState.now()
    state.frozen_until = timezone.now() + timedelta(hours=1)
    state.save()


def observe(service: Service) -> None:
    Service.objects.filter(pk=service.pk).update(autonomy="observe")


def maintain(service: Service) -> None:
    until = timezone.now() + timedelta(hours=1)
    Service.objects.filter(pk=service.pk).update(maintenance_until=until)


STOPS: list[Callable[[Service], None]] = [pause, freeze, observe, maintain]
BEFORE_A_WRITE = [
    Step.COLLECT,
    Step.DIAGNOSE,
    Step.PROPOSE,
    Step.TRIAL,
    Step.REVIEW,
    Step.DECIDE,
    Step.DEPLOY,
]


def stopped_before(
    step: Step, stop: Callable[[Service], None], service: Service, patch: Any
) -> None:
    """Have somebody stop the agent at the moment at which this step would begin."""
    real = runner.STEPS[step]

    def stop_first(incident: Incident, tools: Any) -> None:
        stop(service)
        real(incident, tools)

    patch.setitem(runner.STEPS, step, stop_first)


QUICK = [(step, pause) for step in BEFORE_A_WRITE] + [(Step.DEPLOY, stop) for stop in STOPS[1:]]
MORE = [(step, stop) for step in BEFORE_A_WRITE[:-1] for stop in STOPS[1:]]


@pytest.mark.parametrize(
    ("step", "stop"),
    [*QUICK, *(pytest.param(*pair, marks=pytest.mark.slow) for pair in MORE)],
    ids=[f"{stop.__name__} at {step}" for step, stop in [*QUICK, *MORE]],
)
def test_whoever_stops_the_agent_at_any_step_before_the_write_is_obeyed(
    step: Step,
    stop: Callable[[Service], None],
    shop: Service,
    shweta: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    incident = with_bug(shop)
    broken = handler(shop).read_bytes()
    stopped_before(step, stop, shop, monkeypatch)
    incident = run(incident)
    assert incident.status in {Status.AWAITING_APPROVAL, Status.ESCALATED}
    assert incident.deployments.count() == 0
    assert handler(shop).read_bytes() == broken
    fix = incident.fixes.filter(state=Fix.State.CHOSEN).last()
    if fix is not None:
        with pytest.raises(Conflict):
            approvals.authorise(incident_id=incident.pk, fix_digest=fix.digest, person=shweta)


def test_a_stop_between_the_row_and_the_first_byte_calls_the_deployment_off(
    shop: Service, shweta: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from incidents.pipeline import deploy

    incident = with_bug(shop)
    broken = handler(shop).read_bytes()
    real = deploy._prepare

    def prepare_and_stop(*args: Any) -> Deployment | None:
        row = real(*args)
        pause(shop)
        return row

    monkeypatch.setattr(deploy, "_prepare", prepare_and_stop)
    incident = run(incident)
    assert (incident.status, incident.deployments.count()) == (Status.ESCALATED, 0)
    assert handler(shop).read_bytes() == broken


@pytest.mark.parametrize("part", ["_write", "_restart"])
def test_a_write_that_has_begun_is_finished(
    part: str, shop: Service, shweta: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from incidents.pipeline import deploy

    incident = with_bug(shop)
    real = getattr(deploy, part)

    def stop_after(*args: Any) -> None:
        real(*args)
        pause(shop)

    monkeypatch.setattr(deploy, part, stop_after)
    incident = run(incident)
    assert incident.status == Status.RESOLVED
    assert answers(shop) == 200


def test_an_undo_is_finished_although_the_agent_is_paused(shop: Service, shweta: User) -> None:
    recorded(shop, at=timezone.now() - timedelta(seconds=60), good=True, many=20)
    incident = run(with_bug(shop))
    later = timezone.now() + timedelta(seconds=5)
    recorded(shop, at=later, good=False, many=20)
    pause(shop)
    verify.settle_watched(now=later + timedelta(seconds=1))
    assert run(Incident.objects.get(pk=incident.pk)).deployments.get().state == "undone"


def test_an_approval_after_the_service_has_recovered_deploys_nothing(
    shop: Service, shweta: User
) -> None:
    incident, fix = asked(shop)
    now = timezone.now()
    ServiceHealth.objects.filter(service=shop).update(state="healthy", since=now)
    with pytest.raises(Conflict, match="healthy again"):
        approvals.authorise(incident_id=incident.pk, fix_digest=fix.digest, person=shweta)


def test_a_recovery_between_the_approval_and_the_switch_ends_the_incident(
    shop: Service, shweta: User
) -> None:
    incident, fix = asked(shop)
    approvals.authorise(incident_id=incident.pk, fix_digest=fix.digest, person=shweta)
    ServiceHealth.objects.filter(service=shop).update(state="healthy", since=timezone.now())
    incident = run(incident)
    assert (incident.status, incident.deployments.count()) == (Status.RECOVERED, 0)


def test_a_person_chooses_another_candidate_and_it_goes_live(shop: Service, shweta: User) -> None:
    from incidents.pipeline import people

    handler(shop).write_text(handler(shop).read_text() + "\n# an unrelated edit\n")
    incident, first = asked(shop)
    lost = incident.fixes.filter(state=Fix.State.LOST).exclude(digest=first.digest)
    other = lost.order_by("-lines_changed").first()
    assert other is not None
    assert other.why
    people.choose(incident_id=incident.pk, person=shweta, fix_digest=other.digest)
    incident = run(incident)
    assert incident.status == Status.AWAITING_APPROVAL
    assert incident.fixes.get(state=Fix.State.CHOSEN).digest == other.digest
    assert incident.fixes.get(digest=other.digest).trial.passed
    with pytest.raises(Conflict, match="not the fix"):
        approvals.authorise(incident_id=incident.pk, fix_digest=first.digest, person=shweta)
    approvals.authorise(incident_id=incident.pk, fix_digest=other.digest, person=shweta)
    assert run(incident).status == Status.RESOLVED
    assert "unrelated" not in handler(shop).read_text()
