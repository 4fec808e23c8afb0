"""The main job with the service at Blaxel: all four faults, on the real SDK, with real processes in the stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incidents.models import Fix
from incidents.pipeline import approvals
from incidents.states import Status
from monitoring.models import Service
from teams.models import User
from tests.incidents.world import probe, run
from tests.integrations.blaxel.shop import RUNTIME, answers, broken, files, running_shop, story
from tests.integrations.blaxel.test_failures import FAULTS
from tests.standins.blaxel_api import BlaxelStandIn

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(api: BlaxelStandIn, tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a healthy shop, reachable only as the real gateway reaches it."""
    api.routable_only = True
    with running_shop(tmp_path / "shop") as service:
        yield service


@pytest.mark.parametrize(("fault", "category"), [("bug", "code"), ("slow", "slow")])
def test_bug_and_slow_heal_by_themselves(
    shop: Service, api: BlaxelStandIn, shweta: User, fault: str, category: str
) -> None:
    good, here = files(shop), Path(shop.directory, "handler.py").read_bytes()
    incident = run(broken(shop, fault))

    assert (incident.status, incident.auto_resolved) == (Status.RESOLVED, True), story(incident)
    assert incident.diagnoses.get().category == category
    trial = incident.fixes.get(state=Fix.State.CHOSEN).trial
    assert (trial.passed, trial.reproduced) == (True, True)
    assert "Blaxel sandbox agentops-trial" in trial.isolation
    assert answers(shop) == 200
    assert fault == "slow" or files(shop) == good
    assert b"time.sleep" not in files(shop)["handler.py"]
    assert Path(shop.directory, "handler.py").read_bytes() == here
    assert api.refused == []


@pytest.mark.parametrize(("fault", "category"), [("crash", "crash"), ("bad_config", "config")])
def test_crash_and_bad_config_wait_for_the_lead(
    shop: Service, shweta: User, yash: User, fault: str, category: str
) -> None:
    good = files(shop)
    incident = run(broken(shop, fault))

    assert (incident.status, incident.severity) == (Status.AWAITING_APPROVAL, "blocker"), story(
        incident
    )
    assert incident.diagnoses.get().category == category
    fix = incident.fixes.get(state=Fix.State.CHOSEN)
    assert fix.trial.passed, fix.trial.reason
    approvals.authorise(incident_id=incident.pk, fix_digest=fix.digest, person=shweta)
    incident = run(incident)

    assert incident.status == Status.RESOLVED, story(incident)
    assert answers(shop) == 200
    assert files(shop) == good


def test_a_fix_that_does_not_hold_is_undone(shop: Service, shweta: User, settings: Any) -> None:
    settings.VERIFY_TIMEOUT_SECONDS = 1.0
    incident = run(broken(shop, "crash"))
    broken_tree = files(shop)
    fix = incident.fixes.get(state=Fix.State.CHOSEN)
    approvals.authorise(incident_id=incident.pk, fix_digest=fix.digest, person=shweta)
    Service.objects.filter(pk=shop.pk).update(
        command=["python3", "-c", "import time; time.sleep(9)"]
    )
    incident = run(incident)
    assert incident.status == Status.ESCALATED, story(incident)
    assert files(shop) == broken_tree


@pytest.mark.parametrize("name", ["503", "429", "hang", "malformed", "truncated"])
def test_trials_that_fail_at_blaxel_are_not_made_here(
    shop: Service, api: BlaxelStandIn, shweta: User, settings: Any, name: str
) -> None:
    settings.BLAXEL_SECONDS, settings.VENDOR_BREAKER_SECONDS = 2.0, 0.1
    incident = broken(shop, "bug")
    api.misbehave(FAULTS[name], "agentops-trial")
    incident = run(incident)

    trial = incident.fixes.get(state=Fix.State.CHOSEN).trial
    assert trial.passed is None
    assert "not possible" in trial.reason
    assert incident.status in {Status.AWAITING_APPROVAL, Status.ESCALATED}, story(incident)
    assert incident.deployments.count() == 0
    assert answers(shop) == 500


def test_a_planned_stop_opens_no_incident(shop: Service) -> None:
    RUNTIME.stop(shop.spec())
    assert probe(shop).state != "down"
    assert answers(shop) == 0
    assert not shop.changes.filter(after="down").exists()
