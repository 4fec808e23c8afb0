"""Law 6: kill the worker at any point, and the incident goes on where it was; the fix goes live exactly once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from incidents.models import Deployment, Fix, Incident
from incidents.pipeline import approvals, runner
from incidents.states import Status, Step
from monitoring import providers as monitoring_providers
from monitoring.models import Service
from teams.models import User
from tests.incidents.world import answers, detected, insert, restart, run, running_shop, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

STEPS = [step for step in Step if step != Step.WAIT]
POINTS = [f"{when}:{step}" for step in STEPS for when in ("before", "after")]
PARTS_OF_DEPLOY = ["inside:deploy._prepare", "inside:deploy._write", "inside:deploy._restart"]
BUG = "    ledger_of_visits.append(request)\n"


@pytest.fixture
def shop(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a healthy shop with a last known good state."""
    with running_shop(tmp_path / "shop") as service:
        yield service


def killed(incident: Incident, point: str) -> None:
    """Run the incident in a process that is killed at the point, and let its lease run out."""
    command = [sys.executable, "-m", "tests.incidents.pipeline.killed_run"]
    arguments = [str(connection.settings_dict["NAME"]), str(incident.pk), point]
    ended = subprocess.run([*command, *arguments], timeout=60, capture_output=True, check=False)  # noqa: S603
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
    Incident.objects.filter(pk=incident.pk).update(lease_until=timezone.now())


def resumed(incident: Incident) -> Incident:
    """Do what the auditor does: find the stalled incident, and run it."""
    if incident.pk in runner.resume_stalled(now=timezone.now()):
        return run(incident)
    return Incident.objects.get(pk=incident.pk)


@pytest.mark.parametrize("point", [*POINTS, *PARTS_OF_DEPLOY])
def test_a_killed_worker_costs_nothing_but_time(shop: Service, shweta: User, point: str) -> None:
    insert(Path(shop.directory, "handler.py"), "endpoint, params = ROUTER.find", BUG)
    restart(shop)
    incident = detected(shop)

    killed(incident, point)
    incident = resumed(incident)

    assert incident.status == Status.RESOLVED, [e.text for e in incident.timeline.all()]
    assert Deployment.objects.filter(incident=incident, state="healthy").count() == 1
    assert incident.deployments.count() == 1
    assert incident.reports.count() == 1
    assert answers(shop) == 200
    assert "ledger_of_visits" not in Path(shop.directory, "handler.py").read_text()


@pytest.mark.parametrize("point", PARTS_OF_DEPLOY)
def test_a_kill_in_an_approved_deploy_ends_in_one_deploy(
    shop: Service, shweta: User, point: str
) -> None:
    spec = shop.spec()
    monitoring_providers.writer(spec).kill(spec, signal.SIGKILL)
    wait_for(lambda: answers(shop) == 0)
    incident = run(detected(shop))
    digest = incident.fixes.get(state=Fix.State.CHOSEN).digest
    approvals.authorise(incident_id=incident.pk, fix_digest=digest, person=shweta)

    killed(incident, point)
    incident = resumed(incident)

    assert incident.status == Status.RESOLVED
    assert incident.deployments.count() == 1
    assert answers(shop) == 200


def test_two_workers_never_run_one_incident_at_the_same_time(shop: Service, shweta: User) -> None:
    insert(Path(shop.directory, "handler.py"), "endpoint, params = ROUTER.find", BUG)
    restart(shop)
    incident = detected(shop)
    assert incident.take_lease(now=timezone.now(), seconds=15)
    from incidents import providers

    assert runner.run(incident.pk, providers.tools()) is False
