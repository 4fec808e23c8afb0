"""The pages of the services, and the console's, as people see them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from monitoring import charts, pages
from monitoring.faults.catalogue import all_faults
from monitoring.models import HealthChange, ProbeMinute, Service, ServiceHealth, Snapshot
from teams.models import AuditEntry, User
from teams.people import settle_role
from teams.roles import Role
from tests.monitoring.conftest import NOON, Hints, MakeService, ScriptedRuntime

As = Callable[[str], Client]


@pytest.fixture
def signed_in(db: None) -> As:
    """Return a maker of clients that are signed in as a role."""

    def client(role: str) -> Client:
        person = User.objects.create_user(f"{role}@example.com", role=Role(role))
        settle_role(person)
        person.save()
        made = Client()
        made.force_login(person)
        return made

    return client


@pytest.fixture
def shop(make_service: MakeService) -> Service:
    service = make_service(is_demo=True)
    now = timezone.now()
    ServiceHealth.objects.update(state="down", since=now, latency_ms=12.3, verdict={
        "health": "down", "symptom": "http_error", "error_type": "NameError",
        "detail": "<script>alert(1)</script>", "path": "/health",
    })  # fmt: skip
    for minute in range(4):
        ProbeMinute.objects.create(
            service=service,
            minute=(now - timedelta(minutes=minute)).replace(second=0, microsecond=0),
            count=12,
            failures=3 if minute == 1 else 0,
            p50_ms=10 + minute,
            p95_ms=20 + minute,
        )
    HealthChange.objects.create(
        service=service,
        before="healthy",
        after="down",
        symptom="http_error",
        verdict={"detail": "<b>x</b>"},
    )
    Snapshot.objects.create(service=service, digest="d" * 64)
    return service


def test_signed_out_people_are_sent_to_sign_in(client: Client, shop: Service) -> None:
    for path in ("/services/", "/services/shop/"):
        assert client.get(path).headers["Location"].startswith("/accounts/login/")


def test_the_list_shows_health_latency_and_uptime(signed_in: As, shop: Service) -> None:
    viewer = signed_in("viewer")
    page = viewer.get("/services/").content.decode()
    for shown in ("Shop", "Down", "93.75 %", "/services/shop/"):
        assert shown in page
    assert "12 ms" not in page, "how fast a refusal came says nothing of the service"
    ServiceHealth.objects.update(state="degraded")
    assert "12 ms" in viewer.get("/services/").content.decode()
    assert "Add a service" not in page


def test_the_service_page_escapes_what_the_service_says(signed_in: As, shop: Service) -> None:
    page = signed_in("viewer").get("/services/shop/").content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page
    assert "<b>x</b>" not in page
    assert "dddddddddddd" in page
    assert "A person approves every fix." in page


def test_htmx_gets_the_changing_part_alone(signed_in: As, shop: Service) -> None:
    viewer = signed_in("viewer")
    for path, target in (("/services/", "services"), ("/services/shop/", "service-live")):
        headers = {"HX-Request": "true", "HX-Target": target}
        part = viewer.get(path, headers=headers).content.decode().strip()
        assert "<html" not in part
        assert f'id="{target}"' in part


def test_an_unknown_service_and_nonsense_in_the_address_are_no_errors(
    signed_in: As, shop: Service
) -> None:
    viewer = signed_in("viewer")
    assert viewer.get("/services/nope/").status_code == 404
    for nonsense in ("x", "-1", "9" * 40, "²"):
        assert viewer.get("/services/", {"before": nonsense}).status_code == 200


def test_the_list_costs_the_same_queries_for_few_and_many(
    signed_in: As, make_service: MakeService
) -> None:
    viewer, counts = signed_in("viewer"), []
    viewer.get("/services/")  # what a process looks up once is no cost of the list
    for wanted in (2, 20):
        while Service.objects.count() < wanted:
            make_service(f"s{Service.objects.count()}")
        with CaptureQueriesContext(connection) as captured:
            viewer.get("/services/")
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_check_now_makes_the_service_due(signed_in: As, shop: Service) -> None:
    ServiceHealth.objects.update(next_due_at=timezone.now() + timedelta(hours=1))
    viewer = signed_in("viewer")
    assert viewer.get("/services/shop/probe/").status_code == 405
    assert viewer.post("/services/shop/probe/").status_code == 403
    assert "Check now" not in viewer.get("/services/shop/").content.decode()
    assert ServiceHealth.objects.get().next_due_at > timezone.now()
    for role in ("junior_dev", "manager"):
        ServiceHealth.objects.update(next_due_at=timezone.now() + timedelta(hours=1))
        client = signed_in(role)
        assert "Check now" in client.get("/services/shop/").content.decode()
        assert client.post("/services/shop/probe/").status_code == 302
        assert ServiceHealth.objects.get().next_due_at <= timezone.now()


def test_breaking_and_mending_are_buttons_for_those_who_may(
    signed_in: As, shop: Service, runtime: ScriptedRuntime
) -> None:
    lead, viewer = signed_in("team_lead"), signed_in("viewer")
    assert "Break it on purpose" in lead.get("/services/shop/").content.decode()
    assert "Break it on purpose" not in viewer.get("/services/shop/").content.decode()
    for path in ("faults", "restore"):
        assert viewer.post(f"/services/shop/{path}/", {"fault": "crash"}).status_code == 403
    lead.post("/services/shop/faults/", {"fault": "crash"})
    assert runtime.done == ["kill 9"]
    assert "Take it out again" in lead.get("/services/shop/").content.decode()
    lead.post("/services/shop/restore/")
    assert runtime.done == ["kill 9", "restart"]
    said = lead.post("/services/shop/faults/", {"fault": "meteor"}, follow=True)
    assert "There is no fault" in said.content.decode()


def test_every_fault_is_shown_with_what_it_does_and_the_way_back(
    signed_in: As, shop: Service, runtime: ScriptedRuntime
) -> None:
    lead, viewer = signed_in("team_lead"), signed_in("viewer")
    page = lead.get("/services/shop/break/").content.decode()
    assert page.count(">Inject<") == len(all_faults()) >= 14
    for fault in all_faults():
        for words in (fault.title, fault.what, fault.symptom):
            assert escape(words) in page
    assert "Put everything back" in page
    assert "/services/shop/break/" in lead.get("/services/shop/").content.decode()
    read = viewer.get("/services/shop/break/").content.decode()
    assert ">Inject<" not in read
    assert "Put everything back" not in read
    assert "ask a team lead or a manager" in read
    Service.objects.update(is_demo=False)
    assert lead.get("/services/shop/break/").status_code == 404


def test_everything_is_put_back_also_when_no_fault_is_listed(
    signed_in: As, shop: Service, runtime: ScriptedRuntime
) -> None:
    said = signed_in("team_lead").post("/services/shop/restore/", follow=True).content.decode()
    assert "0 faults are taken out, and Shop is started again." in said
    assert runtime.done == ["restart"]


@pytest.mark.parametrize(
    ("fault", "way_back"),
    [
        ("bug", "handler.py is put back and the process started again."),
        ("wrong_total", "pricing.py is put back and the process started again."),
        ("crash", "The process is started again."),
    ],
)
def test_the_way_back_is_in_words(fault: str, way_back: str) -> None:
    (card,) = (card for card in pages.fault_cards() if card["name"] == fault)
    assert card["way_back"] == way_back


def test_an_empty_list_says_what_to_do(signed_in: As) -> None:
    assert "Add a service" in signed_in("manager").get("/services/").content.decode()


def minute(offset: int, p50: float, p95: float, failures: int = 0) -> charts.Minute:
    at = NOON + timedelta(minutes=offset)
    return charts.Minute(at=at, count=12, failures=failures, p50_ms=p50, p95_ms=p95)


def test_a_gap_in_probing_breaks_the_line() -> None:
    drawn = charts.latency(
        [minute(0, 10, 20), minute(1, 10, 30), minute(9, 5, 9, failures=2)],
        start=NOON,
        end=NOON + timedelta(minutes=10),
    )
    assert [len(points.split()) for points in drawn["p50"]] == [2, 1]
    assert drawn["failed"] == [{"x": 540.0, "count": 2}]
    assert [line["label"] for line in drawn["grid"]] == ["25 ms", "50 ms"]


def test_an_empty_chart_and_a_lonely_value_draw_nothing() -> None:
    assert charts.latency([], start=NOON, end=NOON)["p50"] == []
    assert charts.sparkline([1.0]) == ""
    assert len(charts.sparkline([0.0, 0.0, 5.0]).split()) == 3


@pytest.mark.parametrize(
    ("share", "words"),
    [(None, "not known yet"), (100.0, "100 %"), (99.9999, "99.99 %"), (0.0, "0.00 %")],
)
def test_an_uptime_is_never_rounded_up(share: float | None, words: str) -> None:
    assert pages.percent(share) == words


def test_the_policy_says_what_holds_now(make_service: MakeService) -> None:
    service = make_service(paused=True, enabled=False, autonomy="auto", maintenance_until=NOON + timedelta(hours=1))  # fmt: skip
    words = " ".join(pages.policy_words(service, now=NOON))
    for said in ("In maintenance until 02 Nov 13:00 UTC", "paused", "switched off", "medium"):
        assert said in words


class TestConsole:
    def test_only_whom_the_console_lets_in_is_led_there(self, signed_in: As, shop: Service) -> None:
        for role, led in (("team_lead", False), ("manager", True)):
            person = signed_in(role)
            for path in ("/services/", f"/services/{shop.slug}/"):
                assert ("/admin/monitoring/" in person.get(path).content.decode()) is led

    def test_a_manager_adds_a_service_and_a_mistake_is_named(
        self, signed_in: As, shop: Service, tmp_path: Any, hints_sent: Hints
    ) -> None:
        manager = signed_in("manager")
        form = {
            "name": "Billing", "slug": "billing", "runtime": "local", "host": "127.0.0.1", "port": 4998,
            "repository_branch": "main", "directory": str(tmp_path), "command": '["python3", "a.py"]',
            "environment": "{}", "editable_globs": '["*.py"]', "data_globs": "[]", "redact_fields": "[]",
            "health_path": "/health", "interval": 5, "timeout": 2, "slow_ms": 1500, "smoke_requests": "[]",
            "invariants": "[]", "deep_every": 6, "failures_before_incident": 1,
            "successes_before_recovery": 2, "healthy_before_snapshot": 3, "autonomy": "ask",
            "auto_ceiling": "medium", "auto_threshold": 0.85, "escalation_threshold": 0.5,
            "limit_per_fingerprint": 3, "limit_per_service": 6, "watch_seconds": 120, "enabled": "on",
        }  # fmt: skip
        blank = manager.get("/admin/monitoring/service/add/").content.decode()
        assert '<option value="medium"' in blank
        assert '<option value="high"' not in blank  # nothing above medium is fixed alone
        bad = manager.post("/admin/monitoring/service/add/", form | {"directory": "/no/such"})
        assert "There is no directory /no/such." in bad.content.decode()
        added = manager.post("/admin/monitoring/service/add/", form)
        assert added.status_code == 302
        assert Service.objects.get(slug="billing").health.next_due_at <= timezone.now()
        assert AuditEntry.objects.filter(verb="service.added").exists()

    def test_pausing_is_on_the_trail(self, signed_in: As, shop: Service) -> None:
        manager = signed_in("manager")
        chosen = {"action": "pause", "_selected_action": [shop.pk]}
        manager.post("/admin/monitoring/service/", chosen)
        assert Service.objects.get().paused
        assert '"paused":true' in AuditEntry.objects.get(verb="service.changed").after_json.replace(
            " ", ""
        )

    @pytest.mark.parametrize(
        "model", ["servicehealth", "healthchange", "snapshot", "recordedexchange", "faultinjection"]
    )
    def test_what_was_measured_is_read_only(self, signed_in: As, shop: Service, model: str) -> None:
        manager = signed_in("manager")
        assert manager.get(f"/admin/monitoring/{model}/").status_code == 200
        assert manager.get(f"/admin/monitoring/{model}/add/").status_code == 403
