"""A restart that "fixes" the same thing again: noted, then asked about, then frozen, until somebody settles it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from incidents.models import Debt, Fix, Incident
from incidents.pipeline import debts
from incidents.pipeline.gates import Conflict
from monitoring.models import Service, ServiceHealth
from teams import tokens
from teams.access import AccessRefused
from teams.models import User
from tests.incidents import rows
from tests.incidents.pipeline.test_approvals import Scene, scene

CAUSE = "f" * 64


def restart_of(service: Service, people: dict[str, User]) -> Scene:
    """Return an incident of the same cause that asks about a restart."""
    Incident.objects.filter(fingerprint=CAUSE).update(fingerprint=f"{Incident.objects.count():064}")
    ServiceHealth.objects.filter(service=service).update(state="down")
    at = scene(service, people)
    Incident.objects.filter(pk=at.incident.pk).update(fingerprint=CAUSE)
    at.incident.refresh_from_db()
    Fix.objects.filter(pk=at.fix.pk).update(writes={}, actions=[{"kind": "restart"}])
    at.fix.refresh_from_db()
    return at


def listed(client: Client, person: User) -> list[dict[str, Any]]:
    text = tokens.issue(person, "test")
    answer = client.get("/api/v1/debts", headers={"Authorization": f"Bearer {text}"})
    assert answer.status_code == 200
    return list(answer.json()["items"])


def count(at: Scene, times: int, *, ago: float = 0.0) -> None:
    for _ in range(times):
        debts.record_restart(at.incident, at.fix, now=timezone.now() - timedelta(seconds=ago))


@pytest.fixture
def people(shweta: User, yash: User) -> dict[str, User]:
    """Return a lead and a senior developer."""
    return {"lead": shweta, "senior": yash}


@pytest.mark.parametrize(
    ("restarts", "asks", "freezes"),
    [(0, False, False), (1, False, False), (2, True, False), (3, True, True)],
)
def test_the_second_return_needs_a_person_and_the_third_is_frozen(
    restarts: int, asks: bool, freezes: bool, people: dict[str, User]
) -> None:
    at = restart_of(rows.shop(is_demo=False), people)
    count(at, restarts)
    assert bool(debts.owed(at.incident, at.fix)) is asks
    assert bool(debts.frozen(at.incident, at.fix)) is freezes
    if freezes:
        with pytest.raises(Conflict, match="frozen"):
            at.approve()
        at.approve(override=True, reason="the night is long")
    else:
        at.approve()
    at.deploy()
    assert at.target.restarts == 1


def test_a_freeze_that_comes_between_the_click_and_the_restart_stops_it(
    people: dict[str, User],
) -> None:
    at = restart_of(rows.shop(is_demo=False), people)
    at.approve()
    count(at, 3)
    at.deploy()
    assert (at.target.restarts, at.incident.deployments.count()) == (0, 0)


def test_a_fix_of_the_files_is_no_restart_and_owes_nothing(people: dict[str, User]) -> None:
    at = restart_of(rows.shop(is_demo=False), people)
    count(at, 3)
    other = scene(at.service, people)
    Incident.objects.filter(pk=at.incident.pk).update(fingerprint="e" * 64)
    Incident.objects.filter(pk=other.incident.pk).update(fingerprint=CAUSE)
    other.incident.refresh_from_db()
    assert debts.owed(other.incident, other.fix) == debts.frozen(other.incident, other.fix) == ""


def test_what_is_long_ago_is_forgotten_and_demo_services_never_freeze(
    people: dict[str, User], settings: Any
) -> None:
    at = restart_of(rows.shop(is_demo=True), people)
    count(at, 3, ago=settings.DEBT_WINDOW_SECONDS + 1)
    assert debts.owed(at.incident, at.fix) == ""
    count(at, 4)
    assert debts.owed(at.incident, at.fix)
    assert debts.frozen(at.incident, at.fix) == ""


def test_a_debt_stands_in_the_api_with_its_trend_and_is_settled_by_who_may(
    people: dict[str, User], client: Client, viewer: User
) -> None:
    at = restart_of(rows.shop(is_demo=False), people)
    count(at, 3)
    debt = Debt.objects.get()
    shown = listed(client, people["lead"])
    assert [
        (row["state"], row["restarts"], sum(day["restarts"] for day in row["trend"]))
        for row in shown
    ] == [("frozen", 3, 3)]
    with pytest.raises(AccessRefused):
        debts.settle(debt_id=debt.pk, person=viewer, reason="no")
    with pytest.raises(Conflict):
        debts.settle(debt_id=debt.pk, person=people["lead"], reason=" ")
    debts.settle(debt_id=debt.pk, person=people["lead"], reason="the leak is closed")
    assert debts.frozen(at.incident, at.fix) == ""
    assert listed(client, people["lead"]) == []
    with pytest.raises(Conflict, match="already"):
        debts.settle(debt_id=debt.pk, person=people["lead"], reason="again")
