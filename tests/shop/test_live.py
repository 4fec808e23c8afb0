"""The live viewer: real answers, real errors, and requests by hand that go nowhere else."""

from __future__ import annotations

import time

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from monitoring import live
from monitoring.models import RecordedExchange, Service
from monitoring.values import Answer, HttpRequest, ProcessState
from teams.models import AuditEntry, User
from tests.shop.store import Store, text_of
from tests.target_app.shop import Shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share nothing with the test before."""
    monkeypatch.setattr(live, "_looks", live._Looks())


@pytest.fixture
def demo(service: Service) -> Service:
    service.is_demo = True
    service.save()
    return service


def as_(person: User) -> Client:
    browser = Client()
    browser.force_login(person, backend="teams.backend.PeopleBackend")
    return browser


def test_every_endpoint_is_shown_with_its_real_answer(demo: Service, bhumika: User) -> None:
    page = as_(bhumika).get("/live/")
    shown = text_of(page)
    for words in ("GET /health", "GET /api/products", "GET /api/orders", "GET /api/analytics"):
        assert words in shown
    assert "GET /api/users" in shown
    assert "GET /api/config" in shown
    assert shown.count(" 200 ") >= 6
    assert "Stoneware Mug" in shown
    assert '"default_country": "DE"' in shown
    assert not RecordedExchange.objects.exists()


def test_who_is_told_of_a_change_sees_it_and_not_a_look_of_before(
    demo: Service, target_shop: Shop, bhumika: User
) -> None:
    browser = as_(bhumika)
    browser.get("/live/panels/")
    order = target_shop.buy().json["id"]
    assert order not in text_of(browser.get("/live/panels/")), "a look is shared for a moment"
    told = time.monotonic()
    assert order in text_of(browser.get(f"/live/panels/?after={told:.6f}"))


@pytest.mark.parametrize("after", ["nan", "-1", "1e9", "inf", "9" * 19, "1.5.2", "٣", "x"])
def test_any_moment_gives_the_panels(demo: Service, bhumika: User, after: str) -> None:
    assert as_(bhumika).get("/live/panels/", {"after": after}).status_code == 200


@pytest.mark.parametrize(
    ("phase", "said"), [("running", ("Running for", "65 s")), ("exited", ("Started", "65 s ago"))]
)
def test_only_a_process_that_runs_is_running(phase: str, said: tuple[str, str]) -> None:
    state = ProcessState(phase=phase, pid=7, started_at=time.time() - 65)
    assert said in live.process_facts(state)


def test_a_failing_endpoint_shows_the_real_error_with_its_traceback(
    demo: Service, target_shop: Shop, bhumika: User
) -> None:
    target_shop.edit_config(lambda config: config.update(currency=5))
    shown = text_of(as_(bhumika).get("/live/panels/"))
    assert "503" in shown
    assert "ConfigError" in shown
    assert "Traceback (most recent call last)" in shown


def test_a_service_that_is_gone_says_so_and_who_served_it(
    demo: Service, target_shop: Shop, bhumika: User
) -> None:
    target_shop.kill()
    shown = text_of(as_(bhumika).get("/live/panels/"))
    assert shown.count("The connection was refused") == 6
    assert "Process" in shown


def test_what_the_service_says_is_escaped(demo: Service, store: Store, bhumika: User) -> None:
    body = {"name": "<script>alert(1)</script>", "email": "x@example.com"}
    store.shop.call("POST", "/api/users", body)
    page = as_(bhumika).get("/live/panels/")
    assert b"<script>alert(1)" not in page.content
    assert b"&lt;script&gt;alert(1)" in page.content


def test_those_who_watch_share_one_look(
    demo: Service, target_shop: Shop, bhumika: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "FRESH_SECONDS", 60.0)
    browser = as_(bhumika)
    served = target_shop.get("/health").json["requests_served"]
    for _ in range(5):
        browser.get("/live/panels/")
    assert target_shop.get("/health").json["requests_served"] == served + 6 + 1


def test_the_number_of_queries_does_not_depend_on_the_number_of_services(
    demo: Service, bhumika: User
) -> None:
    browser = as_(bhumika)
    browser.get("/live/")
    with CaptureQueriesContext(connection) as one:
        browser.get("/live/")
    for number in range(10):
        Service.objects.create(slug=f"s{number}", name=f"S{number}", directory="/", port=1)
    with CaptureQueriesContext(connection) as many:
        browser.get("/live/")
    assert len(one) == len(many)


def test_signed_out_and_unknown_are_sent_away(demo: Service, bhumika: User) -> None:
    assert Client().get("/live/").status_code == 302
    assert Client().post("/live/send/shop/", {"method": "GET", "path": "/"}).status_code == 302
    assert as_(bhumika).get("/live/?service=nothing").status_code == 404
    answer = as_(bhumika).post("/live/send/nothing/", {"method": "GET", "path": "/"})
    assert answer.status_code == 404


def test_all_of_the_team_reads_by_hand_and_it_is_recorded(demo: Service, bhumika: User) -> None:
    form = {"method": "GET", "path": "/api/products/stoneware-mug"}
    answer = as_(bhumika).post("/live/send/shop/", form)
    assert "Stoneware Mug" in text_of(answer)
    kept = RecordedExchange.objects.get()
    assert (kept.source, kept.user, kept.path) == ("live", bhumika.email, form["path"])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post"])
def test_writing_by_hand_is_for_leads(
    demo: Service, bhumika: User, yash: User, method: str
) -> None:
    form = {"method": method, "path": "/api/orders", "body": "{}"}
    for person in (bhumika, yash):
        answer = as_(person).post("/live/send/shop/", form)
        assert answer.status_code == 403
        assert "may not send write requests" in text_of(answer)
    assert not RecordedExchange.objects.exists()


def test_a_write_by_a_lead_reaches_the_service_and_the_audit_trail(
    demo: Service, target_shop: Shop, shweta: User
) -> None:
    form = {
        "method": "POST",
        "path": "/api/users",
        "body": '{"name": "Zoe", "email": "zoe@example.com"}',
    }
    answer = as_(shweta).post("/live/send/shop/", form)
    assert "201" in text_of(answer)
    assert target_shop.get("/api/users").json["items"][0]["name"] == "Zoe"
    entry = AuditEntry.objects.get(verb="send_write")
    assert entry.after == {"method": "POST", "path": "/api/users"}


def test_a_viewer_sends_nothing(demo: Service, viewer: User) -> None:
    answer = as_(viewer).post("/live/send/shop/", {"method": "GET", "path": "/health"})
    assert answer.status_code == 403
    assert "Send a request" not in text_of(as_(viewer).get("/live/"))


@pytest.mark.parametrize(
    "path",
    [
        "http://169.254.169.254/latest",
        "//evil.test/",
        "evil.test/",
        "@evil.test/",
        ":80@evil.test/",
        "",
        "/a b",
        "/a\r\nHost: evil.test",
        "/\\evil.test",
        "/#x",
        "/\u2028x",
        "/" + "x" * 1001,
    ],
)
def test_only_a_path_of_the_service_itself_is_taken(demo: Service, shweta: User, path: str) -> None:
    answer = as_(shweta).post("/live/send/shop/", {"method": "GET", "path": path})
    assert answer.status_code == 422
    assert not RecordedExchange.objects.exists()


@pytest.mark.parametrize(
    ("method", "body"), [("TRACE", ""), ("CONNECT", ""), ("", ""), ("POST", "{no json")]
)
def test_other_methods_and_broken_bodies_are_refused_in_words(
    demo: Service, shweta: User, method: str, body: str
) -> None:
    form = {"method": method, "path": "/api/orders", "body": body}
    answer = as_(shweta).post("/live/send/shop/", form)
    assert answer.status_code == 422
    assert text_of(answer)


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[1, 2]", b'{"items": [1]}', b'{"items": {}}', b"\xff\xfe", b"[" * 90_000, b'{"a": {"b": []}}'],
)  # fmt: skip
def test_any_body_can_be_shown(body: bytes) -> None:
    shown = live.panel("x", HttpRequest(), Answer(status=200, body=body, elapsed_ms=1.0))
    assert shown.status == "200"
    assert len(shown.json) <= live.MOST_JSON
