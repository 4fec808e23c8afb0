from __future__ import annotations

import http.client
import socket

import pytest

from tests.target_app.shop import MUG_CENTS, Shop, items, purchase


def test_health_reports_every_subsystem(shop: Shop) -> None:
    first, second = shop.get("/health"), shop.get("/health")
    body = second.json
    assert (first.status, second.status) == (200, 200)
    assert body["status"] == "ok"
    assert {name: check["status"] for name, check in body["checks"].items()} == {
        "database": "ok",
        "config": "ok",
        "disk": "ok",
    }
    assert body["checks"]["database"]["ms"] >= 0
    assert body["environment"] == "demo"
    assert body["version"].count(".") == 2
    assert shop.process is not None
    assert body["pid"] == shop.process.pid
    assert body["requests_served"] > first.json["requests_served"]
    assert 0 <= first.json["uptime_seconds"] <= body["uptime_seconds"]


def test_the_catalogue_is_seeded(shop: Shop) -> None:
    products = shop.get("/api/products").json
    assert products["total"] == len(products["items"]) == 24
    assert len({product["category"] for product in products["items"]}) == 6
    assert len({product["id"] for product in products["items"]}) == 24
    for product in products["items"]:
        assert isinstance(product["price_cents"], int)
        assert product["price_cents"] > 0
        assert product["stock"] > 0
        assert 0 < product["rating"] <= 5
        assert product["name"]
        assert product["description"]
    counted = shop.get("/api/categories").json["items"]
    assert sum(category["products"] for category in counted) == 24


def test_products_are_filtered_searched_and_sorted(shop: Shop) -> None:
    desk = shop.get("/api/products?category=desk&sort=price_asc").json["items"]
    assert {product["category"] for product in desk} == {"desk"}
    prices = [product["price_cents"] for product in desk]
    assert prices == sorted(prices)
    found = shop.get("/api/products?q=LAMP&sort=price_desc").json["items"]
    assert [product["id"] for product in found] == ["glass-table-lamp", "task-lamp"]
    assert shop.get("/api/products?category=nothing").json["items"] == []
    assert shop.get("/api/products?q=100%25").json["items"] == []


def test_one_product_comes_with_recommendations_of_its_category(shop: Shop) -> None:
    product = shop.get("/api/products/task-lamp").json
    assert product["name"] == "Task Lamp"
    others = product["recommendations"]
    assert {other["category"] for other in others} == {"desk"}
    assert "task-lamp" not in {other["id"] for other in others}


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/api/products/none", 404, "NotFoundError"),
        ("GET", "/api/products/%ff%00", 404, "NotFoundError"),
        ("GET", "/api/orders/ord_none", 404, "NotFoundError"),
        ("GET", "/api/", 404, "NotFoundError"),
        ("GET", "/", 404, "NotFoundError"),
        ("DELETE", "/api/products", 405, "MethodNotAllowedError"),
        ("GET", "/api/checkout", 405, "MethodNotAllowedError"),
        ("BREW", "/api/products", 501, "ProtocolError"),
    ],
)
def test_wrong_addresses_and_methods(
    shop: Shop, method: str, path: str, status: int, kind: str
) -> None:
    answer = shop.call(method, path)
    assert answer.status == status
    assert answer.error["type"] == kind
    assert answer.error["detail"]


def test_a_wrong_method_names_the_allowed_ones(shop: Shop) -> None:
    assert shop.call("PUT", "/api/orders").headers["Allow"] == "GET, HEAD, POST"
    assert shop.call("GET", "/api/quote").headers["Allow"] == "POST"


def test_head_has_the_length_but_no_body(shop: Shop) -> None:
    answer = shop.call("HEAD", "/api/categories")
    assert answer.status == 200
    assert answer.raw == b""
    assert int(answer.headers["Content-Length"]) > 0


def test_one_connection_serves_many_requests(shop: Shop) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=5)
    connection.request("GET", "/health")
    connection.getresponse().read()
    used = connection.sock
    connection.request("POST", "/api/quote", b"{", {"Content-Type": "application/json"})
    assert connection.getresponse().read()
    connection.request("GET", "/api/products")
    assert connection.getresponse().status == 200
    assert connection.sock is used
    connection.close()


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        (b"nonsense that is not HTTP at all", b"ProtocolError"),
        (b"GET http://[ HTTP/1.1\r\nConnection: close", b"BadRequestError"),
        (b"GET /health HTTP/1.1\r\nX: " + b"a" * 70_000, b"ProtocolError"),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1", b"ProtocolError"),
    ],
)
def test_what_is_not_http_gets_a_json_4xx(shop: Shop, sent: bytes, kind: bytes) -> None:
    with socket.create_connection(("127.0.0.1", shop.port), timeout=5) as raw:
        raw.sendall(sent + b"\r\n\r\n")
        answer = raw.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 4")
    assert b'"type":"' + kind in answer


def test_the_request_id_is_kept_and_logged(shop: Shop) -> None:
    answer = shop.call("GET", "/health", headers={"X-Request-Id": "trace-77"})
    assert answer.headers["X-Request-Id"] == "trace-77"
    made = shop.call("GET", "/health", headers={"X-Request-Id": "a b\tc"}).headers["X-Request-Id"]
    assert made != "a b\tc"
    logged = next(event for event in shop.events() if event.get("request_id") == "trace-77")
    assert (logged["method"], logged["path"], logged["status"]) == ("GET", "/health", 200)
    assert logged["level"] == "info"
    assert logged["ms"] >= 0


def test_users_are_listed_and_created_once_per_address(shop: Shop) -> None:
    assert {"usr_nora", "usr_mateo", "usr_ines"} <= {
        user["id"] for user in shop.get("/api/users").json["items"]
    }
    made = shop.call("POST", "/api/users", {"name": "Åse <b>", "email": "ase@example.com"})
    assert made.status == 201
    assert shop.get("/api/users?limit=1").json["items"] == [made.json]
    again = shop.call("POST", "/api/users", {"name": "Other", "email": "ASE@example.com"})
    assert (again.status, again.error["field"]) == (409, "email")


def test_orders_are_paged_newest_first(own_shop: Shop) -> None:
    placed = [own_shop.buy().json["id"] for _ in range(5)]
    seen, path = [], "/api/orders?limit=2"
    for _ in range(3):
        page = own_shop.get(path).json
        seen += [order["id"] for order in page["items"]]
        path = f"/api/orders?limit=2&after={page['next']}"
    assert page["next"] is None
    assert seen == placed[::-1]
    assert own_shop.get(f"/api/orders/{placed[0]}").json["id"] == placed[0]


def test_analytics_add_up(own_shop: Shop) -> None:
    empty = own_shop.get("/api/analytics").json
    assert (empty["orders"], empty["average_order_cents"]) == (0, 0)
    mug = own_shop.buy(items=items("stoneware-mug", 3)).json
    pen = own_shop.buy(items=items("brass-pen", 2)).json
    figures = own_shop.get("/api/analytics").json
    revenue = mug["total_cents"] + pen["total_cents"]
    assert (figures["orders"], figures["revenue_cents"]) == (2, revenue)
    assert figures["average_order_cents"] == (revenue + 1) // 2
    assert figures["last_hour"] == {"orders": 2, "revenue_cents": revenue}
    assert figures["top_products"][0]["product_id"] == "stoneware-mug"
    assert {entry["category"]: entry["sales_cents"] for entry in figures["by_category"]} == {
        "kitchen": 3 * MUG_CENTS,
        "desk": 2 * 3900,
    }


def test_config_is_shown_without_secrets(own_shop: Shop) -> None:
    secret = "sk-very-hidden"  # noqa: S105
    own_shop.edit_config(
        lambda config: config["dependencies"]["recommendations"].update(api_key=secret)
    )
    answer = own_shop.get("/api/config")
    assert answer.json["settings"]["currency"] == "EUR"
    assert answer.json["settings"]["dependencies"]["recommendations"]["api_key"] == "[hidden]"
    assert secret.encode() not in answer.raw


def test_an_order_on_invoice_needs_no_address(shop: Shop) -> None:
    body = {"items": items("hand-balm", 1), "user_id": "usr_nora"}
    order = shop.call("POST", "/api/orders", body)
    assert order.status == 201
    assert order.json["payment"]["status"] == "due"
    assert order.json["customer"]["email"] == "nora@example.com"
    paid = shop.call("POST", "/api/orders", purchase())
    assert paid.json["payment"]["status"] == "captured"
