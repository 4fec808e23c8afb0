"""The services part of the API, asked as an integrator asks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from monitoring.models import Service, ServiceHealth, Snapshot
from teams import tokens
from teams.models import AuditEntry, User
from teams.roles import Role
from tests.monitoring.conftest import NOON, MakeService, ScriptedRuntime

Ask = Callable[..., Any]


@pytest.fixture
def ask(db: None, client: Client) -> Ask:
    """Return a caller: `ask("GET", "services", role=..., **json)` gives the response."""
    known: dict[str, str] = {}

    def call(method: str, path: str, *, role: str = "manager", **data: Any) -> Any:
        if role and role not in known:
            person = User.objects.create_user(f"{role}@example.com", role=Role(role))
            known[role] = tokens.issue(person, "test")
        headers = {"Authorization": f"Bearer {known[role]}"} if role else {}
        more = {"data": data, "content_type": "application/json"} if method != "GET" else {}
        return getattr(client, method.lower())(f"/api/v1/{path}", headers=headers, **more)

    return call


@pytest.fixture
def broken(runtime: ScriptedRuntime) -> list[str]:
    """Return what was done to the service."""
    return runtime.done


@pytest.fixture
def new(tmp_path: Path) -> dict[str, Any]:
    return {
        "name": "Billing",
        "directory": str(tmp_path),
        "command": ["python3", "app.py", "{port}"],
        "port": 4999,
        "editable_globs": ["*.py"],
    }


def test_everybody_signs_in(ask: Ask) -> None:
    assert ask("GET", "services", role="").status_code == 401


def test_services_are_listed_newest_first_in_pages(ask: Ask, make_service: MakeService) -> None:
    for number in range(53):
        make_service(f"s{number}")
    first = ask("GET", "services", role="viewer").json()
    rest = ask("GET", f"services?before={first['next']}", role="viewer").json()
    slugs = [item["slug"] for item in first["items"] + rest["items"]]
    assert slugs == [f"s{number}" for number in reversed(range(53))]
    assert rest["next"] is None


def test_one_service_is_shown_whole(ask: Ask, make_service: MakeService) -> None:
    shop = make_service(environment={"TOKEN": "hunter2"})
    ServiceHealth.objects.update(state="degraded")
    Snapshot.objects.create(service=shop, digest="abc", created_at=NOON)
    response = ask("GET", "services/shop", role="viewer")
    shown = response.json()
    assert (shown["health"], shown["directory"]) == ("degraded", shop.directory)
    assert shown["last_known_good"]["digest"] == "abc"
    assert shown["last_known_good"]["at"].startswith("2026-11-02T12:00:00")
    assert shown["policy"]["autonomy"] == "ask"
    assert shown["environment_names"] == ["TOKEN"]
    assert b"hunter2" not in response.content


def test_an_unknown_service_is_404_in_words(ask: Ask) -> None:
    for method, path in (("GET", "services/nope"), ("PATCH", "services/nope")):
        assert ask(method, path).status_code == 404


def test_a_manager_registers_a_service_which_is_probed_at_once(
    ask: Ask, new: dict[str, Any]
) -> None:
    response = ask("POST", "services", **new)
    assert response.status_code == 201
    assert response.json()["slug"] == "billing"
    assert ServiceHealth.objects.get().service.slug == "billing"
    assert AuditEntry.objects.filter(verb="service.added").exists()


@pytest.mark.parametrize("role", ["viewer", "junior_dev", "senior_dev"])
def test_others_may_not_configure(
    ask: Ask, new: dict[str, Any], make_service: MakeService, role: str
) -> None:
    make_service()
    for refused in (
        ask("POST", "services", role=role, **new),
        ask("PATCH", "services/shop", role=role, interval=9),
    ):
        assert refused.status_code == 403
        assert refused.json()["needed_role"]
    assert Service.objects.get().interval == 5


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"directory": "/no/such/place"}, "directory"),
        ({"directory": "relative"}, "directory"),
        ({"command": []}, "command"),
        ({"command": ["python3", " "]}, "command"),
        ({"port": 4000}, "port"),
        ({"editable_globs": ["../*.py"]}, "editable_globs"),
        ({"editable_globs": []}, "editable_globs"),
        ({"data_globs": ["/etc/*"]}, "data_globs"),
        ({"environment": {"A B": "x"}}, "environment"),
        ({"smoke_requests": [{"path": "api"}]}, "smoke_requests"),
        ({"smoke_requests": [{"path": "/a", "verb": "GET"}]}, "smoke_requests"),
        ({"invariants": [{"request": {"path": "/a"}}]}, "invariants"),
        ({"health_path": "health"}, "health_path"),
        ({"auto_ceiling": "huge"}, "auto_ceiling"),
        ({"auto_ceiling": "critical"}, "auto_ceiling"),
        ({"invariants": [{"command": "python3 check.py"}]}, "invariants"),
        ({"invariants": [{"command": ["./check"], "seconds": 60}]}, "invariants"),
        ({"autonomy": "yolo"}, "autonomy"),
        ({"auto_threshold": 0.4, "escalation_threshold": 0.5}, "auto_threshold"),
        ({"slug": "shop"}, "slug"),
    ],
)
def test_what_cannot_work_is_refused_field_by_field(
    ask: Ask, new: dict[str, Any], make_service: MakeService, wrong: dict[str, Any], field: str
) -> None:
    make_service()
    response = ask("POST", "services", **(new | wrong))
    assert response.status_code == 422
    assert field in response.json()["errors"]
    assert field in response.json()["detail"]
    assert Service.objects.count() == 1


@pytest.mark.parametrize(
    "wrong", [{"port": 0}, {"port": 70000}, {"interval": 0.1}, {"timeout": 0}, {"colour": "red"}]
)
def test_wrong_numbers_and_unknown_names_are_refused(
    ask: Ask, new: dict[str, Any], wrong: dict[str, Any]
) -> None:
    assert ask("POST", "services", **(new | wrong)).status_code == 422


def test_a_change_changes_only_what_is_given(ask: Ask, make_service: MakeService) -> None:
    make_service(interval=5.0, timeout=2.0)
    response = ask("PATCH", "services/shop", interval=10, autonomy="auto")
    assert response.status_code == 200
    shop = Service.objects.get()
    assert (shop.interval, shop.timeout, shop.autonomy) == (10, 2.0, "auto")
    entry = AuditEntry.objects.get(verb="service.changed")
    assert '"interval":5.0' in entry.before_json.replace(" ", "")


def test_a_refused_change_changes_nothing(ask: Ask, make_service: MakeService) -> None:
    make_service()
    assert ask("PATCH", "services/shop", interval=10, directory="/no").status_code == 422
    assert Service.objects.get().interval == 5


def test_a_maintenance_window_is_set_and_ended(ask: Ask, make_service: MakeService) -> None:
    make_service()
    ask("PATCH", "services/shop", maintenance_until="2099-01-01T00:00:00Z")
    assert Service.objects.get().in_maintenance
    ask("PATCH", "services/shop", maintenance_until=None)
    assert Service.objects.get().maintenance_until is None


class TestFaults:
    """Injecting over the API; what a fault does is tested beside the catalogue."""

    def test_a_fault_goes_in_once_and_comes_out(
        self, ask: Ask, make_service: MakeService, broken: list[str]
    ) -> None:
        make_service(is_demo=True)
        made = ask("POST", "services/shop/faults", role="team_lead", fault="crash")
        assert (made.status_code, made.json()["fault"]) == (201, "crash")
        assert broken == ["kill 9"]
        assert ask("GET", "services/shop", role="viewer").json()["fault"] == "crash"
        restored = ask("POST", "services/shop/restore", role="team_lead")
        assert (restored.status_code, restored.json()["restored"]) == (200, 1)
        assert broken == ["kill 9", "restart"]

    def test_an_unknown_fault_lists_the_known_ones(
        self, ask: Ask, make_service: MakeService
    ) -> None:
        make_service(is_demo=True)
        refused = ask("POST", "services/shop/faults", role="team_lead", fault="meteor")
        assert refused.status_code == 422
        assert "bug, slow, crash, bad_config" in refused.json()["detail"]

    def test_a_real_service_and_an_unknown_one_are_left_alone(
        self, ask: Ask, make_service: MakeService
    ) -> None:
        make_service()
        for path, status in (("shop/faults", 409), ("shop/restore", 409), ("nope/faults", 404)):
            assert (
                ask("POST", f"services/{path}", role="team_lead", fault="bug").status_code == status
            )

    def test_a_viewer_may_neither_break_nor_mend(self, ask: Ask, make_service: MakeService) -> None:
        make_service(is_demo=True)
        for path in ("faults", "restore"):
            refused = ask("POST", f"services/shop/{path}", role="viewer", fault="bug")
            assert refused.status_code == 403


def test_the_openapi_document_names_it_all(ask: Ask) -> None:
    document = ask("GET", "openapi.json").json()
    assert {"/api/v1/services", "/api/v1/services/{slug}"} <= set(document["paths"])
