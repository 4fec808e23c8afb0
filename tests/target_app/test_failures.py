from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import pytest

from tests.target_app.shop import MUG_STOCK, Answer, Shop, items, wait_for

BUG = ("return Response(status, body)", "return Response(status, apply_policy(body))")
COMMON_BUG = (
    "response = endpoint(app, request.with_params(params))",
    "response = audited(endpoint(app, request.with_params(params)))",
)


def test_a_bug_goes_live_by_a_restart_only(own_shop: Shop) -> None:
    own_shop.replace("handler.py", *BUG)
    assert own_shop.get("/health").status == 200
    own_shop.end()
    own_shop.start()
    assert own_shop.get("/health").status == 500
    assert own_shop.get("/api/products").status == 200


def test_a_bug_in_common_code_fails_everything_with_the_place_of_the_bug(own_shop: Shop) -> None:
    own_shop.end()
    own_shop.replace("handler.py", *COMMON_BUG)
    own_shop.start()
    text = (own_shop.directory / "handler.py").read_text()
    line = text[: text.index("audited(")].count("\n") + 1
    for path in ("/health", "/api/products", "/api/config"):
        answer = own_shop.get(path)
        assert answer.status == 500
        assert answer.error["type"] == "NameError"
        assert answer.error["detail"] == "name 'audited' is not defined"
        assert f'handler.py", line {line}, in handle' in answer.error["traceback"]
    wait_for(lambda: own_shop.log().count("Traceback (most") == 3, "tracebacks are not logged")
    assert "\nNameError: name 'audited' is not defined\n" in own_shop.log()
    failed = [event for event in own_shop.events() if event.get("status") == 500]
    assert {event["level"] for event in failed} == {"error"}


def test_an_answer_that_json_cannot_hold_is_a_500(own_shop: Shop) -> None:
    own_shop.end()
    own_shop.replace("handler.py", BUG[0], "return Response(status, {1, 2})")
    own_shop.start()
    answer = own_shop.get("/health")
    assert (answer.status, answer.error["type"]) == (500, "TypeError")


def test_a_syntax_error_ends_the_start_with_a_traceback(own_shop: Shop) -> None:
    own_shop.end()
    own_shop.replace("handler.py", BUG[0], "return Response(status, body")
    with pytest.raises(AssertionError, match="SyntaxError"):
        own_shop.start()


def test_orders_survive_a_kill_in_the_middle_of_checkouts(own_shop: Shop) -> None:
    answers: dict[str, Answer] = {}
    lock = Lock()

    def buy(number: int) -> None:
        try:
            answer = own_shop.buy(f"key-{number}")
        except (OSError, http.client.HTTPException):
            return
        with lock:
            answers[f"key-{number}"] = answer

    with ThreadPoolExecutor(8) as pool:
        for number in range(200):
            pool.submit(buy, number)
        wait_for(lambda: len(answers) >= 20, "no orders were placed")
        own_shop.kill()
    assert 20 <= len(answers) < 200, "the kill came too late to prove anything"

    own_shop.start()
    before = own_shop.get("/api/analytics").json["orders"]
    assert before >= len(answers)
    for key, answer in answers.items():
        assert own_shop.get(f"/api/orders/{answer.json['id']}").status == 200
        assert own_shop.buy(key).raw == answer.raw
    assert own_shop.get("/api/analytics").json["orders"] == before

    for number in range(200):
        assert own_shop.buy(f"key-{number}").status == 201
    figures = own_shop.get("/api/analytics").json
    assert figures["orders"] == 200
    assert own_shop.stock("stoneware-mug") == MUG_STOCK - 200


def test_a_planned_stop_is_quick_and_finishes_the_request_in_hand(own_shop: Shop) -> None:
    own_shop.edit_config(lambda c: c["payment"].update(sandbox_latency_seconds=0.3))
    idle = socket.create_connection(("127.0.0.1", own_shop.port))
    with ThreadPoolExecutor(1) as pool:
        buying = pool.submit(own_shop.buy, "last-one")
        wait_for(
            lambda: own_shop.get("/health").json["requests_active"] == 2,
            "the purchase did not begin",
        )
        started = time.monotonic()
        assert own_shop.end(signal.SIGTERM) == 0
        took = time.monotonic() - started
        assert buying.result().status == 201
    idle.close()
    assert took < 1
    assert own_shop.events()[-1]["event"] == "stopped"
    own_shop.start()
    assert own_shop.get("/api/analytics").json["orders"] == 1


def test_a_removed_database_is_reported_and_no_order_is_lost_in_silence(own_shop: Shop) -> None:
    (own_shop.directory / "data" / "shop.sqlite3").unlink()
    health = own_shop.get("/health")
    assert health.status == 503
    assert health.json["checks"]["database"]["status"] == "failing"
    assert health.json["checks"]["config"]["status"] == "ok"
    assert health.error["type"] == "DatabaseUnavailableError"
    assert own_shop.buy().status == 503


def test_a_replaced_database_takes_no_orders_until_a_restart(own_shop: Shop) -> None:
    path = own_shop.directory / "data" / "shop.sqlite3"
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)
    assert own_shop.buy().status == 503
    assert own_shop.get("/health").error["type"] == "DatabaseUnavailableError"
    own_shop.end()
    own_shop.start()
    assert own_shop.buy().status == 201


def test_a_damaged_database_is_reported(own_shop: Shop) -> None:
    path = own_shop.directory / "data" / "shop.sqlite3"
    path.write_bytes(b"this is not a database" * 5000)
    for name in ("shop.sqlite3-wal", "shop.sqlite3-shm"):
        (path.parent / name).unlink(missing_ok=True)
    health = own_shop.get("/health")
    assert (health.status, health.error["type"]) == (503, "DatabaseError")


def test_the_data_directory_can_be_elsewhere(tmp_path: Path) -> None:
    shop = Shop.copied_to(tmp_path / "shop", DATA_DIR=str(tmp_path / "deep" / "data"))
    shop.start()
    shop.kill()
    assert (tmp_path / "deep" / "data" / "shop.sqlite3").exists()
    assert not (shop.directory / "data").exists()


def test_a_second_start_on_the_same_port_fails_and_says_why(own_shop: Shop) -> None:
    second = subprocess.run(  # noqa: S603
        [sys.executable, "server.py", str(own_shop.port)],
        cwd=own_shop.directory,
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )
    assert second.returncode == 1
    assert "cannot listen" in second.stdout
    assert own_shop.get("/health").status == 200


@pytest.mark.parametrize("arguments", [[], ["http"], ["-1"], ["70000"], ["1", "2"]])
def test_a_wrong_command_line_shows_the_usage(own_shop: Shop, arguments: list[str]) -> None:
    done = subprocess.run(  # noqa: S603
        [sys.executable, "server.py", *arguments],
        cwd=own_shop.directory,
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "usage: python3 server.py PORT\n")


def test_a_client_that_hangs_up_disturbs_nobody(own_shop: Shop) -> None:
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", own_shop.port)) as raw:
            raw.sendall(b"POST /api/quote HTTP/1.1\r\nContent-Length: 900\r\n\r\n{")
    assert own_shop.buy(items=items("brass-pen", 1)).status == 201
    assert "Traceback" not in own_shop.log()
