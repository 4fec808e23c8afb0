"""Each rule of judging as a row: what came back, and what it says of the service."""

from __future__ import annotations

import json

import pytest

from monitoring.extraction import last_frame
from monitoring.judging import Question, broken_invariant, judge, judge_exit, judge_process
from monitoring.values import Answer, Health, HttpRequest, ProcessState, Symptom

TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "/srv/shop/server.py", line 40, in serve\n    handle(app)\n'
    '  File "/srv/shop/handler.py", line 12, in list_products\n    return recount(x)\n'
    "NameError: name 'recount' is not defined\n"
)
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html; charset=utf-8"}
HEALTH = Question(request=HttpRequest(path="/health"), slow_ms=1000)
SMOKE = Question(request=HttpRequest(path="/api/products"), slow_ms=1000, health=False)


def answer(
    body: object, status: int = 200, headers: dict[str, str] = JSON, **more: object
) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers=headers, body=data, elapsed_ms=12.0, **more)  # type: ignore[arg-type]


def error(**fields: str) -> dict[str, object]:
    return {"error": fields}


@pytest.mark.parametrize(
    ("given", "health", "symptom"),
    [
        (answer({"status": "ok"}), Health.HEALTHY, Symptom.NONE),
        (answer({"status": "weird word"}), Health.HEALTHY, Symptom.NONE),
        (answer({}), Health.HEALTHY, Symptom.NONE),
        (answer([1]), Health.HEALTHY, Symptom.NONE),
        (answer(b"OK", headers={"content-type": "text/plain"}), Health.HEALTHY, Symptom.NONE),
        (answer(b"", status=204, headers={}), Health.HEALTHY, Symptom.NONE),
        (answer({"status": "degraded"}), Health.DEGRADED, Symptom.SUBSYSTEM),
        (answer({"status": "failing"}), Health.DOWN, Symptom.SUBSYSTEM_DOWN),
        (answer({"status": "DOWN"}, status=503), Health.DOWN, Symptom.SUBSYSTEM_DOWN),
        (answer({"ok": False}), Health.DOWN, Symptom.SUBSYSTEM_DOWN),
        (answer(b"", headers=JSON), Health.DOWN, Symptom.WRONG_BODY),
        (answer(b"{'status': 'ok'}"), Health.DOWN, Symptom.WRONG_BODY),
        (answer(b'{"status": "o', headers={}), Health.DOWN, Symptom.WRONG_BODY),
        (answer(b"\x00\x01\xff", headers={}), Health.DOWN, Symptom.WRONG_BODY),
        (answer(b"x" * 9, headers={}, truncated=True), Health.DOWN, Symptom.WRONG_BODY),
        (answer(b"[" * 200_000), Health.DOWN, Symptom.WRONG_BODY),
        (answer(error(type="KeyError"), status=500), Health.DOWN, Symptom.HTTP_ERROR),
        (answer({}, status=404), Health.DOWN, Symptom.HTTP_ERROR),
        (answer(b"", status=302), Health.DOWN, Symptom.HTTP_ERROR),
        (answer(error(type="JSONDecodeError"), status=503), Health.DOWN, Symptom.BAD_CONFIG),
        (Answer(failure="refused"), Health.DOWN, Symptom.REFUSED),
        (Answer(failure="reset"), Health.DOWN, Symptom.REFUSED),
        (Answer(failure="unreachable"), Health.DOWN, Symptom.REFUSED),
        (Answer(failure="timeout"), Health.DOWN, Symptom.TIMEOUT),
        (Answer(failure="malformed"), Health.DOWN, Symptom.WRONG_BODY),
        (Answer(failure="too_large"), Health.DOWN, Symptom.WRONG_BODY),
        (Answer(status=200, body=b"ok", elapsed_ms=1001), Health.DEGRADED, Symptom.SLOW),
        (Answer(status=200, body=b"ok", elapsed_ms=999), Health.HEALTHY, Symptom.NONE),
    ],
)
def test_the_health_path_is_judged(given: Answer, health: Health, symptom: Symptom) -> None:
    verdict = judge(given, HEALTH)
    assert (verdict.health, verdict.symptom) == (health, symptom)
    assert verdict.path == "/health"
    assert bool(verdict.error_type or verdict.detail) is (health is not Health.HEALTHY)


@pytest.mark.parametrize(
    ("given", "health", "symptom"),
    [
        (answer({"status": "failing"}), Health.HEALTHY, Symptom.NONE),
        (answer(b"", headers=HTML), Health.HEALTHY, Symptom.NONE),
        (
            answer(b"\x89PNG\x00", headers={"content-type": "image/png"}),
            Health.HEALTHY,
            Symptom.NONE,
        ),
        (answer(b"x", truncated=True), Health.HEALTHY, Symptom.NONE),
        (answer(b"", status=302, headers={}), Health.HEALTHY, Symptom.NONE),
        (answer({}, status=404), Health.DEGRADED, Symptom.HTTP_ERROR),
        (answer(error(type="JSONDecodeError"), status=500), Health.DEGRADED, Symptom.HTTP_ERROR),
        (answer(b"{", headers=JSON), Health.DEGRADED, Symptom.WRONG_BODY),
        (Answer(failure="timeout"), Health.DEGRADED, Symptom.TIMEOUT),
    ],
)
def test_a_smoke_request_only_degrades(given: Answer, health: Health, symptom: Symptom) -> None:
    verdict = judge(given, SMOKE)
    assert (verdict.health, verdict.symptom) == (health, symptom)


def test_a_smoke_request_may_expect_an_error_status() -> None:
    wanted = Question(
        request=HttpRequest(path="/api/nothing"), slow_ms=1000, health=False, expected_status=404
    )
    assert judge(answer({}, status=404), wanted).health is Health.HEALTHY
    assert judge(answer({}, status=200), wanted).symptom is Symptom.HTTP_ERROR


@pytest.mark.parametrize(
    ("body", "headers", "error_type", "detail"),
    [
        (error(type="NameError", detail="no x"), JSON, "NameError", "no x"),
        (error(type="", detail="", traceback=TRACEBACK), JSON, "NameError", "name 'recount' is not defined"),
        ({"error": "it broke"}, JSON, "HTTP 500", "it broke"),
        ({"error": "KeyError", "message": "lost"}, JSON, "KeyError", "lost"),
        ({"detail": "Internal"}, JSON, "HTTP 500", "Internal"),
        ({"message": "Oops", "code": "E42"}, JSON, "E42", "Oops"),
        ({"type": "about:blank", "title": "Broken"}, JSON, "HTTP 500", "Broken"),
        ({"errors": [{"message": "first"}, {"message": "second"}]}, JSON, "HTTP 500", "first"),
        (b"<html><title>Server &lt;Error&gt;</title></html>", HTML, "HTTP 500", "Server <Error>"),
        (b"<!doctype html><pre>" + TRACEBACK.replace("'", "&#39;").encode() + b"</pre>", HTML, "NameError", "name 'recount' is not defined"),
        (b"boom\n" + TRACEBACK.encode(), {}, "NameError", "name 'recount' is not defined"),
        (b"plain words", {}, "HTTP 500", "plain words"),
        (b"", {}, "HTTP 500", "Answered with status 500."),
        (b"\xff\xfe\x00", {}, "HTTP 500", "\ufffd\ufffd\x00"),
    ],
)  # fmt: skip
def test_the_error_is_found_in_every_shape(
    body: object, headers: dict[str, str], error_type: str, detail: str
) -> None:
    verdict = judge(answer(body, status=500, headers=headers), HEALTH)
    assert (verdict.error_type, verdict.detail) == (error_type, detail)


def test_an_html_traceback_is_kept_as_text() -> None:
    page = b"<html><pre>" + TRACEBACK.replace('"', "&quot;").encode() + b"</pre></html>"
    verdict = judge(answer(page, status=500, headers=HTML), HEALTH)
    assert verdict.traceback.strip() == TRACEBACK.strip()
    assert last_frame(verdict.traceback) == "handler.py:list_products"


def test_the_failing_subsystem_is_named_and_the_top_error_says_more() -> None:
    checks = {
        "database": {"status": "ok"},
        "disk": {"status": "degraded"},
        "config": {"status": "failing", "error": "JSONDecodeError", "detail": "line 1"},
    }
    body = {"status": "failing", "checks": checks, "error": {"type": "JSONDecodeError", "detail": "Expecting ','", "traceback": TRACEBACK}}  # fmt: skip
    verdict = judge(answer(body, status=503), HEALTH)
    assert verdict.symptom is Symptom.BAD_CONFIG
    assert (verdict.error_type, verdict.detail) == ("JSONDecodeError", "config: Expecting ','")
    assert verdict.traceback == TRACEBACK


def test_a_failing_database_is_a_subsystem_that_is_down() -> None:
    check = {"status": "failing", "error": "OperationalError", "detail": "disk I/O error"}
    verdict = judge(answer({"status": "failing", "checks": {"database": check}}), HEALTH)
    assert (verdict.symptom, verdict.error_type) == (Symptom.SUBSYSTEM_DOWN, "OperationalError")
    assert verdict.detail == "database: disk I/O error"


def test_what_a_service_says_is_bounded() -> None:
    said = error(type="T" * 9000, detail="d" * 9000, traceback="t" * 90_000)
    verdict = judge(answer(said, status=500), HEALTH)
    assert max(len(verdict.error_type), len(verdict.detail)) <= 500
    assert len(verdict.traceback) <= 20_000


REFUSED = judge(Answer(failure="refused"), HEALTH)


@pytest.mark.parametrize(
    ("process", "health", "symptom", "error_type"),
    [
        (ProcessState(phase="stopped"), Health.UNKNOWN, Symptom.STOPPED, "refused"),
        (ProcessState(phase="running", pid=7, started_at=98.0), Health.UNKNOWN, Symptom.REFUSED, "refused"),
        (ProcessState(phase="running", pid=7, started_at=10.0), Health.DOWN, Symptom.REFUSED, "refused"),
        (ProcessState(phase="running", pid=7), Health.DOWN, Symptom.REFUSED, "refused"),
        (ProcessState(phase="exited", exit_code=3), Health.DOWN, Symptom.NO_PROCESS, "exit 3"),
        (ProcessState(phase="exited", signal=9), Health.DOWN, Symptom.NO_PROCESS, "SIGKILL"),
        (ProcessState(phase="exited", signal=99), Health.DOWN, Symptom.NO_PROCESS, "signal 99"),
        (ProcessState(phase="absent"), Health.DOWN, Symptom.NO_PROCESS, "absent"),
    ],
)  # fmt: skip
def test_the_keeper_explains_a_refused_connection(
    process: ProcessState, health: Health, symptom: Symptom, error_type: str
) -> None:
    verdict = judge_process(REFUSED, process, now=100.0)
    assert (verdict.health, verdict.symptom, verdict.error_type) == (health, symptom, error_type)


def test_a_reset_by_the_planned_stop_of_the_former_process_proves_nothing() -> None:
    reset = judge(Answer(failure="reset", elapsed_ms=20.0), HEALTH)
    new = ProcessState(phase="running", pid=8, started_at=99.7)
    assert judge_process(reset, new, now=100.0).health is Health.UNKNOWN


def test_a_running_process_that_resets_is_not_called_starting() -> None:
    reset = judge(Answer(failure="reset"), HEALTH)
    young = ProcessState(phase="running", pid=7, started_at=99.0)
    assert judge_process(reset, young, now=100.0) == reset


def test_an_exit_and_a_later_refusal_tell_the_same_story() -> None:
    gone = ProcessState(phase="exited", signal=9)
    assert judge_exit(gone).error_type == judge_process(REFUSED, gone, now=1).error_type


def test_a_broken_invariant_is_a_wrong_answer() -> None:
    verdict = broken_invariant(
        request=HttpRequest(path="/a"), name="stock", detail="stock: -1", answer=answer({})
    )
    assert (verdict.health, verdict.symptom) == (Health.DEGRADED, Symptom.WRONG_ANSWER)
    assert (verdict.path, verdict.error_type, verdict.status) == ("/a", "stock", 200)
