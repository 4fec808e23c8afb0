from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.target_app.shop import Shop, wait_for

Change = Callable[[dict[str, Any]], object]


def test_broken_json_is_an_outage_that_names_line_and_column(own_shop: Shop) -> None:
    path = own_shop.directory / "config.json"
    good = path.read_text()
    path.write_text(good.replace('"currency": "EUR",', '"currency": "EUR"'))
    health = own_shop.get("/health")
    assert health.status == 503
    assert health.json["status"] == "failing"
    assert health.json["checks"]["config"]["status"] == "failing"
    assert health.json["checks"]["database"]["status"] == "ok"
    for error in (health.error, own_shop.get("/api/products").error, own_shop.buy().error):
        assert error["type"] == "JSONDecodeError"
        assert "config.json" in error["detail"]
        assert "line 4 column 3" in error["detail"]
        assert "config.py" in error["traceback"]
    assert own_shop.get("/api/products").status == 503
    assert own_shop.get("/api/users").status == 200
    path.write_text(good)
    assert own_shop.get("/health").json["status"] == "ok"
    assert own_shop.buy().status == 201


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda c: c["tax_rates"].update(DE="abc"), "tax_rates.DE"),
        (lambda c: c["tax_rates"].update(DE=19), "tax_rates.DE"),
        (lambda c: c["shipping"]["DE"].update(flat_cents=-1), "shipping.DE.flat_cents"),
        (lambda c: c["shipping"]["DE"].update(flat_cents=4.9), "shipping.DE.flat_cents"),
        (lambda c: c["shipping"].pop("default"), "shipping.default"),
        (lambda c: c["features"].update(recomendations=True), "features.recomendations"),
        (lambda c: c["features"].update(gift_wrap="on"), "features.gift_wrap"),
        (lambda c: c["payment"].pop("timeout_seconds"), "payment.timeout_seconds"),
        (lambda c: c["payment"].update(timeout_seconds=0), "payment.timeout_seconds"),
        (lambda c: c.update(default_country="XX"), "default_country"),
        (lambda c: c.update(currency=None), "currency"),
        (lambda c: c.update(order_step_seconds=[]), "order_step_seconds"),
        (
            lambda c: c["dependencies"]["recommendations"].update(url="http://u:p@h/"),
            "dependencies.recommendations.url",
        ),
    ],
)
def test_a_wrong_value_is_an_outage_that_names_the_key(
    own_shop: Shop, change: Change, key: str
) -> None:
    own_shop.edit_config(change)
    health = own_shop.get("/health")
    assert health.status == 503
    assert health.error["type"] == "ConfigError"
    assert health.error["detail"].startswith(f"config.json: {key} ")
    assert own_shop.get("/api/products").error["detail"] == health.error["detail"]


def test_a_missing_or_binary_file_is_an_outage(own_shop: Shop) -> None:
    path = own_shop.directory / "config.json"
    good = path.read_bytes()
    path.unlink()
    assert own_shop.get("/health").error["type"] == "FileNotFoundError"
    path.write_bytes(b"\xff" + good)
    assert own_shop.get("/health").error["type"] == "UnicodeDecodeError"
    path.write_bytes(b"[" * 100_000)
    assert own_shop.get("/health").error["type"] == "RecursionError"
    path.write_bytes(good)
    assert own_shop.get("/health").status == 200


def test_a_change_of_the_same_length_and_time_is_seen(own_shop: Shop) -> None:
    path = own_shop.directory / "config.json"
    before = path.stat()
    for _ in range(20):
        for currency in ("USD", "EUR"):
            text = path.read_text()
            path.write_text(text.replace('"USD"', '"EUR"').replace('"EUR"', f'"{currency}"'))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            assert own_shop.get("/api/products").json["currency"] == currency


def test_a_change_that_keeps_length_and_time_is_seen_in_an_old_file_too(own_shop: Shop) -> None:
    path = own_shop.directory / "config.json"
    before = path.stat()
    wait_for(lambda: time.time() - before.st_ctime > 0.5, "the clock stands still")
    assert own_shop.get("/api/products").json["currency"] == "EUR"
    path.write_text(path.read_text().replace('"EUR"', '"USD"'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    changed = path.stat()
    wait_for(lambda: time.time() - changed.st_ctime > 0.5, "the clock stands still")
    assert own_shop.get("/api/products").json["currency"] == "USD"


def test_the_shop_starts_with_a_broken_config_and_says_so(tmp_path: Path) -> None:
    shop = Shop.copied_to(tmp_path / "shop", APP_ENV="staging")
    path = shop.directory / "config.json"
    path.write_text("{")
    shop.start()
    try:
        health = shop.get("/health")
        assert (health.status, health.json["environment"]) == (503, "staging")
    finally:
        shop.kill()


def test_features_change_behaviour(own_shop: Shop) -> None:
    own_shop.edit_config(
        lambda c: c.update(
            features={"recommendations": False, "gift_wrap": False, "guest_checkout": False}
        )
    )
    assert "recommendations" not in own_shop.get("/api/products/task-lamp").json
    assert own_shop.buy(gift_wrap=True).error["field"] == "gift_wrap"
    assert own_shop.buy().error["field"] == "user_id"
    assert own_shop.buy(user_id="usr_ines").status == 201


class _Backend(BaseHTTPRequestHandler):
    """A recommendation service whose answer a test chooses."""

    answer: bytes = b"[]"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the output of the tests is not a log."""


def test_a_recommendation_backend_is_used_and_may_fail(own_shop: Shop) -> None:
    backend = HTTPServer(("127.0.0.1", 0), _Backend)
    Thread(target=backend.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{backend.server_port}/similar"
    _Backend.answer = json.dumps(["brass-pen", "unknown", 7, "hand-balm"]).encode()
    own_shop.edit_config(lambda c: c["dependencies"]["recommendations"].update(url=url))
    shown = own_shop.get("/api/products/task-lamp").json["recommendations"]
    assert [product["id"] for product in shown] == ["brass-pen", "hand-balm"]
    assert own_shop.get("/health").json["checks"]["recommendations"]["status"] == "ok"

    _Backend.answer = b"<html>"
    assert own_shop.get("/api/products/task-lamp").json["recommendations"] == []
    backend.shutdown()
    backend.server_close()
    health = own_shop.get("/health")
    assert (health.status, health.json["status"]) == (200, "degraded")
    assert own_shop.get("/api/products/task-lamp").json["recommendations"] == []

    own_shop.edit_config(lambda c: c["dependencies"]["recommendations"].update(required=True))
    failing = own_shop.get("/health")
    assert (failing.status, failing.error["type"]) == (503, "DependencyError")
    refused = own_shop.get("/api/products/task-lamp")
    assert (refused.status, refused.error["type"]) == (503, "DependencyError")
    assert own_shop.buy().status == 201


def test_a_full_quota_stops_writes_and_is_reported(own_shop: Shop) -> None:
    ballast = own_shop.directory / "data" / "ballast"
    own_shop.edit_config(lambda c: c["storage"].update(quota_mb=8))
    assert own_shop.buy().status == 201
    ballast.write_bytes(bytes(8 * 1024 * 1024))
    health = own_shop.get("/health")
    assert (health.status, health.error["type"]) == (503, "StorageFullError")
    assert health.json["checks"]["disk"]["status"] == "failing"
    refused = own_shop.buy(key="k")
    assert (refused.status, refused.error["type"]) == (507, "StorageFullError")
    assert own_shop.get("/api/orders").status == 200
    ballast.unlink()
    assert own_shop.get("/health").status == 200
    assert own_shop.buy(key="k").status == 201
