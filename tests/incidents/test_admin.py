"""The console of incidents: records are read-only, acts go through the domain, lists cost the same at any length."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.sites import site
from django.test import Client
from django.utils import timezone

from incidents.models import (
    AgentState,
    Decision,
    Delivery,
    Incident,
    LearningRecord,
    NotificationChannel,
    OnCall,
)
from monitoring.models import Service
from teams.apps import grant_managers
from teams.models import AuditEntry, User
from tests.incidents import made
from tests.incidents.alerts.test_deliver import channel

READ_ONLY = ["incident", "decision", "deployment", "clearancereport", "learningrecord", "delivery"]
EDITABLE = ["notificationchannel", "oncall"]


@pytest.fixture
def console(client: Client, maya: User, settings: Any) -> Client:
    """Return a client in which the manager is signed in, with the permissions that `migrate` seeds."""
    settings.INCIDENTS_ANNOUNCER = "tests.fakes.announcer.FakeAnnouncer"
    for app in ("teams", "incidents"):
        grant_managers(apps.get_app_config(app))
    client.force_login(maya)
    return client


@pytest.mark.parametrize("model", READ_ONLY + EDITABLE + ["agentstate"])
def test_a_manager_opens_and_searches_every_list(console: Client, model: str) -> None:
    made.deployed(made.incident())
    answer = console.get(f"/admin/incidents/{model}/?q=x")
    assert answer.status_code == 200


@pytest.mark.parametrize("model", READ_ONLY)
def test_records_cannot_be_added_changed_or_deleted(console: Client, model: str) -> None:
    deployment = made.deployed(made.incident())
    assert console.get(f"/admin/incidents/{model}/add/").status_code == 403
    pk = {"incident": deployment.incident_id, "deployment": deployment.pk}.get(model)
    if pk:
        assert console.get(f"/admin/incidents/{model}/{pk}/change/").status_code == 200
        assert (
            console.post(f"/admin/incidents/{model}/{pk}/change/", {"title": "x"}).status_code
            == 403
        )
        assert (
            console.post(f"/admin/incidents/{model}/{pk}/delete/", {"post": "yes"}).status_code
            == 403
        )


def test_an_act_from_the_list_asks_the_matrix(console: Client, maya: User) -> None:
    incident = made.incident()
    given = {"action": "acknowledge", "_selected_action": [incident.pk]}
    page = console.post("/admin/incidents/incident/", given, follow=True).content.decode()
    assert "your role may not acknowledge" in page
    incident.refresh_from_db()
    assert incident.acknowledged_at is None
    User.objects.filter(pk=maya.pk).update(role="team_lead")
    console.post("/admin/incidents/incident/", given)
    assert Incident.objects.get(pk=incident.pk).acknowledged_by == maya


def test_a_channel_is_added_tried_and_its_address_never_shown(console: Client) -> None:
    given = {"name": "On call", "address": "json://example.com/topsecret", "lowest": "high", "per_minute": "5", "enabled": "on", "chosen_kinds": ["asked"]}  # fmt: skip
    answer = console.post("/admin/incidents/notificationchannel/add/", given)
    assert answer.status_code == 302, answer.content.decode()[:2000]
    row = NotificationChannel.objects.get()
    assert (row.address, row.kinds) == ("json://example.com/topsecret", ["asked"])
    change = f"/admin/incidents/notificationchannel/{row.pk}/change/"
    assert "topsecret" not in console.get(change).content.decode()
    console.post(change, {**given, "address": "", "name": "Renamed"})
    row.refresh_from_db()
    assert (row.name, row.address) == ("Renamed", "json://example.com/topsecret")
    console.post(
        "/admin/incidents/notificationchannel/",
        {"action": "send_test", "_selected_action": [row.pk]},
    )
    assert Delivery.objects.get().kind == "test"
    for entry in AuditEntry.objects.all():
        assert "topsecret" not in entry.before_json + entry.after_json
        assert row.sealed_address not in entry.before_json + entry.after_json


@pytest.mark.parametrize("address", ["", "bad://x"])
def test_a_channel_without_a_permitted_address_is_not_stored(console: Client, address: str) -> None:
    given = {"name": "x", "address": address, "lowest": "low", "per_minute": "5"}
    assert console.post("/admin/incidents/notificationchannel/add/", given).status_code == 200
    assert not NotificationChannel.objects.exists()


def test_managers_do_not_see_peoples_own_channels(console: Client, yash: User) -> None:
    own = channel(person=yash, name="Yash's phone")
    assert "Yash" not in console.get("/admin/incidents/notificationchannel/").content.decode()
    answer = console.get(f"/admin/incidents/notificationchannel/{own.pk}/change/")
    assert answer.status_code == 302


def test_a_freeze_is_set_and_holds(console: Client, maya: User) -> None:
    state = AgentState.now()
    until = timezone.now() + timedelta(hours=2)
    given = {
        "reason": "Release night",
        "frozen_until_0": f"{until:%Y-%m-%d}",
        "frozen_until_1": f"{until:%H:%M:%S}",
    }
    answer = console.post(f"/admin/incidents/agentstate/{state.pk}/change/", given)
    assert answer.status_code == 302
    state.refresh_from_db()
    assert state.forbids_changes == "Release night"
    assert state.changed_by == maya


def test_a_freeze_that_is_over_already_is_refused_and_stays_in_the_form(console: Client) -> None:
    given = {"reason": "Release", "frozen_until_0": "2020-01-01", "frozen_until_1": "10:00:00"}
    answer = console.post(f"/admin/incidents/agentstate/{AgentState.now().pk}/change/", given)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "lies in the past" in page
    assert "2020-01-01" in page
    assert AgentState.now().frozen_until is None


def test_the_agent_is_paused_and_resumed_on_the_dashboard(console: Client) -> None:
    assert "Pause the agent" in console.get("/admin/").content.decode()
    console.post("/agent/pause/", {"reason": "drill", "next": "/admin/"})
    page = console.get("/admin/").content.decode()
    assert "Resume the agent" in page
    assert "drill" in page
    assert console.post("/agent/resume/", {"next": "/admin/"}).headers["Location"] == "/admin/"
    assert not AgentState.now().paused
    assert console.post("/agent/explode/").status_code == 404


def test_a_senior_does_not_pause_the_agent(client: Client, yash: User) -> None:
    client.force_login(yash)
    assert client.post("/agent/pause/").status_code == 403
    assert not AgentState.now().paused


def test_a_fault_goes_into_demo_services_only(console: Client) -> None:
    service = made.service(is_demo=False)
    given = {"action": "inject_bug", "_selected_action": [service.pk]}
    page = console.post("/admin/monitoring/service/", given, follow=True).content.decode()
    assert "demo" in page
    assert not service.injections.exists()


@pytest.mark.parametrize("model", [*READ_ONLY, *EDITABLE])
def test_a_list_costs_the_same_for_three_rows_and_for_thirteen(
    console: Client, model: str, yash: User, django_assert_max_num_queries: Any
) -> None:
    def grow(number: int) -> None:
        for _ in range(number):
            incident = made.incident(assignee=yash, status="RESOLVED")
            deployment = made.deployed(incident, by=yash)
            incident.reports.create(attempt=1, title="Report")
            Decision.objects.filter(pk=deployment.decision_id).update(reason="x")
            LearningRecord.objects.create(
                incident=incident, attempt=1, kind="verified", service_slug="s", category="code",
                fingerprint="f", fix_kind="edit",
            )  # fmt: skip
            Delivery.objects.create(channel=channel(), kind="asked", title="t", body="b", key="k")
            OnCall.objects.create(service=incident.service, person=yash)

    address = f"/admin/incidents/{model}/"
    grow(3)
    console.get(address)
    # A filter by service lists the services: their number is not what is measured here.
    with django_assert_max_num_queries(60) as few:
        console.get(address)
    grow(10)
    with django_assert_max_num_queries(len(few)):
        assert console.get(address).status_code == 200


def test_the_dashboard_costs_the_same_for_one_service_and_for_many(
    console: Client, django_assert_max_num_queries: Any
) -> None:
    made.service()
    console.get("/admin/")
    with django_assert_max_num_queries(60) as few:
        console.get("/admin/")
    for _ in range(10):
        made.service()
    with django_assert_max_num_queries(len(few)):
        page = console.get("/admin/").content.decode()
    assert page.count("Shop API") >= 11
    assert Service.objects.count() == 11


def test_the_console_bears_our_name(console: Client) -> None:
    assert "AgentOps" in console.get("/admin/").content.decode()
    assert site.is_registered(Incident)
