"""The flight recorder: bounded, redacted, and honest about what was good."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import DatabaseError

from monitoring import recorder, redaction
from monitoring.models import RecordedExchange, Service, ServiceHealth
from monitoring.operations import probe_due
from monitoring.ports import TargetError
from monitoring.values import Answer, HttpRequest, ProcessState
from tests.fakes.prober import HEALTHY, ScriptedProber
from tests.monitoring.conftest import NOON, Clock, Hints, MakeService, ScriptedRuntime

JSON = {"content-type": "application/json"}
BROKEN = Answer(status=500, headers=JSON, body=b'{"error": "x"}', elapsed_ms=5)


@pytest.fixture
def shop(make_service: MakeService) -> Service:
    return make_service(redact_fields=["payment.token"], slow_ms=1000)


def keep(
    service: Service, path: str = "/api/products", answer: Answer = HEALTHY, **more: Any
) -> None:
    """Record one exchange; `body` and `headers` go into the request, the rest to `record`."""
    parts = {key: more.pop(key) for key in ("method", "body", "headers") if key in more}
    request = HttpRequest(path=path, **parts)
    given: dict[str, Any] = {"source": "shop", "now": NOON} | more
    recorder.record(service=service, request=request, answer=answer, **given)


def frozen(service: Service) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return recorder.freeze(service, since=NOON - timedelta(seconds=30), now=NOON)


def paths(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["request"]["path"] for entry in entries]


@pytest.mark.parametrize(
    ("answer", "good"),
    [
        (HEALTHY, True),
        (Answer(status=404, headers=JSON, body=b"{}"), True),
        (Answer(status=422, headers=JSON, body=b"{}"), True),
        (Answer(status=302), True),
        (BROKEN, False),
        (Answer(failure="timeout"), False),
        (Answer(status=200, headers=JSON, body=b"{"), False),
        (Answer(status=200, body=b"late", elapsed_ms=1001), False),
    ],
)
def test_good_is_what_the_service_meant_to_answer(
    shop: Service, answer: Answer, good: bool
) -> None:
    keep(shop, answer=answer)
    assert RecordedExchange.objects.get().good is good


def test_the_ring_freezes_into_a_failing_and_a_good_set_in_order(shop: Service) -> None:
    keep(shop, "/a")
    keep(shop, "/b", BROKEN)
    keep(shop, "/c")
    keep(shop, "/a")
    keep(shop, "/old", BROKEN, now=NOON - timedelta(seconds=60))
    failing, good = frozen(shop)
    assert (paths(failing), paths(good)) == (["/b"], ["/c", "/a"])
    assert failing[0]["expected"]["status"] == 500
    assert failing[0]["good"] is False


def test_both_sets_together_keep_the_recorded_order_and_equal_writes_their_number(
    shop: Service,
) -> None:
    for path, answer in (("/a", HEALTHY), ("/b", BROKEN), ("/c", HEALTHY), ("/d", BROKEN)):
        keep(shop, path, answer)
    for number in range(5):
        keep(shop, "/w", HEALTHY if number < 4 else BROKEN, method="POST", body=b"same")
    failing, good = frozen(shop)
    together = sorted([*failing, *good], key=lambda entry: entry["order"])
    assert paths(together) == ["/a", "/b", "/c", "/d", "/w", "/w", "/w", "/w"]
    assert [entry["good"] for entry in together][-4:] == [True, True, True, False]


def test_bodies_survive_as_bytes(shop: Service) -> None:
    raw = bytes(range(256))
    keep(shop, method="POST", body=raw, answer=Answer(status=200, body=raw))
    _, good = frozen(shop)
    assert base64.b64decode(good[0]["request"]["body"]) == raw
    assert base64.b64decode(good[0]["expected"]["body"]) == raw


def test_a_service_without_traffic_has_its_smoke_requests(make_service: MakeService) -> None:
    smoke = [{"path": "/api/products"}, {"method": "POST", "path": "/api/orders", "body": {"a": 1}}]
    shop = make_service(smoke_requests=smoke)
    failing, good = frozen(shop)
    assert (failing, paths(good)) == ([], ["/api/products", "/api/orders"])
    assert good[0]["expected"] is None
    assert json.loads(base64.b64decode(good[1]["request"]["body"])) == {"a": 1}


def test_secrets_are_not_at_rest(shop: Service) -> None:
    body = json.dumps({"items": [1], "payment": {"token": "tok_secret"}}).encode()
    headers = {"Authorization": "Bearer tok_secret", "Cookie": "tok_secret", "X-Ok": "1"}
    answer = Answer(status=201, headers=JSON, body=b'{"payment": {"token": "tok_secret"}}')
    keep(shop, "/api/checkout", answer, method="POST", body=body, headers=headers)
    row = RecordedExchange.objects.get()
    assert b"tok_secret" not in bytes(row.body) + bytes(row.answer)
    assert "tok_secret" not in json.dumps(row.headers)
    assert row.headers["X-Ok"] == "1"
    assert frozen(shop)[1] == [], "a replay without the token could not give the same answer"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"payment": {"token": "t"}}', b'{"payment": {"token": "[redacted]"}}'),
        (b'[{"a": {"payment": {"token": 1}}}]', b'[{"a": {"payment": {"token": "[redacted]"}}}]'),
        (b'{"payment":   "cash"}', b'{"payment":   "cash"}'),
        (b'{"payment": {"token": null}}', b'{"payment": {"token": null}}'),
        (b"payment.token=1", b"payment.token=1"),
        (b'{"payment"', b'{"payment"'),
        (b"", b""),
        (b"[7]", b"[7]"),
        (b"7", b"7"),
    ],
)
def test_marked_fields_are_hidden_and_nothing_else_moves(body: bytes, kept: bytes) -> None:
    assert redaction.body(body, ["payment.token"]) == kept


def test_the_ring_is_bounded_by_count_bytes_and_age(shop: Service, settings: LazySettings) -> None:
    settings.RECORDER_MAX_EXCHANGES, settings.RECORDER_MAX_BYTES = 20, 1_000_000
    keep(shop, "/ancient", now=NOON - timedelta(days=1))
    for number in range(60):
        keep(shop, f"/{number}")
    recorder.trim(shop, now=NOON)
    assert (
        paths([{"request": {"path": r.path}} for r in RecordedExchange.objects.all()])[0] == "/40"
    )
    settings.RECORDER_MAX_BYTES = 100
    recorder.trim(shop, now=NOON)
    assert RecordedExchange.objects.count() < 10


def test_a_ring_that_grows_trims_itself(shop: Service, settings: LazySettings) -> None:
    settings.RECORDER_MAX_EXCHANGES = 10
    for number in range(100):
        keep(shop, f"/{number}")
    assert RecordedExchange.objects.count() <= 10 + 16


def test_a_huge_answer_is_cut_and_says_so_and_a_huge_request_is_not_kept(shop: Service) -> None:
    keep(shop, "/big", Answer(status=200, body=b"x" * 300_000))
    keep(shop, "/upload", method="POST", body=b"x" * 70_000)
    (entry,) = frozen(shop)[1]
    assert entry["request"]["path"] == "/big"
    assert entry["expected"]["truncated"] is True


def test_a_burst_of_failures_makes_a_deep_probe_due_at_once(
    make_service: MakeService, hints_sent: Hints, django_capture_on_commit_callbacks: Any
) -> None:
    shop = make_service(due_in=60)
    with django_capture_on_commit_callbacks(execute=True):
        keep(shop, answer=BROKEN, now=NOON - timedelta(seconds=70))
        for _ in range(2):
            keep(shop, answer=BROKEN)
        assert not ServiceHealth.objects.get().deep_requested
        for _ in range(3):
            keep(shop, answer=BROKEN)
    health = ServiceHealth.objects.get()
    assert (health.deep_requested, health.next_due_at) == (True, NOON)
    assert hints_sent.tasks == ["monitoring.tasks.probe_due"]


def test_sending_records_and_returns_the_answer(shop: Service, runtime: ScriptedRuntime) -> None:
    runtime.answer = BROKEN
    sent = recorder.send(service=shop, request=HttpRequest(path="/x"), source="live", user="ann")
    row = RecordedExchange.objects.get()
    assert sent is BROKEN
    assert (row.path, row.source, row.user, row.status) == ("/x", "live", "ann", 500)


def test_what_cannot_be_asked_or_recorded_still_answers(
    shop: Service, runtime: ScriptedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Answer:
        raise TargetError("no such sandbox", permanent=True)

    def locked(*_: object, **__: object) -> None:
        raise DatabaseError("database is locked")

    monkeypatch.setattr(runtime, "request", refuse)
    monkeypatch.setattr(RecordedExchange, "save", locked)
    sent = recorder.send(service=shop, request=HttpRequest(path="/x"), source="live")
    assert sent.failure == "unreachable"


@pytest.mark.parametrize(("phase", "kept"), [("stopped", 0), ("running", 1)])
def test_what_a_planned_stop_cut_off_is_no_failure(
    make_service: MakeService, clock: Clock, runtime: ScriptedRuntime, phase: str, kept: int
) -> None:
    shop = make_service(smoke_requests=[{"path": "/api/products"}], deep_every=1)
    runtime.state = ProcessState(phase=phase, pid=7, started_at=1.0)
    prober = ScriptedProber()
    prober.script("/api/products", Answer(failure="refused"))
    probe_due(now=clock.forward(5), prober=prober)
    assert RecordedExchange.objects.filter(service=shop, good=False).count() == kept


def test_deep_probes_feed_the_ring(
    make_service: MakeService, clock: Clock, runtime: ScriptedRuntime
) -> None:
    shop = make_service(smoke_requests=[{"path": "/api/products"}], deep_every=1)
    prober = ScriptedProber()
    for _ in range(4):
        probe_due(now=clock.forward(5), prober=prober)
    assert RecordedExchange.objects.count() == 1, "good answers are recorded once a minute"
    prober.script("/api/products", BROKEN)
    probe_due(now=clock.forward(5), prober=prober)
    rows = RecordedExchange.objects.filter(service=shop, source="smoke")
    assert [row.good for row in rows] == [True, False]
    probe_due(now=clock.forward(61), prober=prober)
    assert rows.all().count() == 3
