from __future__ import annotations

import socket

import pytest

from tests.target_app.shop import Shop, items, purchase

ADDRESS = {"line1": "x", "city": "y", "postcode": "1", "country": "DE"}


@pytest.mark.parametrize("quantity", [0, -1, 10**9, 10**30, "abc", True, 1.5, 1.0, None, [], "1"])
@pytest.mark.parametrize("path", ["/api/checkout", "/api/orders", "/api/quote"])
def test_a_quantity_is_a_whole_number_in_range(shop: Shop, path: str, quantity: object) -> None:
    answer = shop.call("POST", path, purchase(items=items("stoneware-mug", quantity)))
    assert answer.status == 422
    assert answer.error["field"] == "items[0].quantity"
    assert answer.error["detail"].startswith("items[0].quantity must be a whole number from 1")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"items": []}, "items"),
        ({"items": "stoneware-mug"}, "items"),
        ({"items": [7]}, "items[0]"),
        ({"items": [{"quantity": 1}]}, "items[0].product_id"),
        ({"items": items("no-such-thing", 1)}, "items"),
        ({"items": items("stoneware-mug", 60) * 2}, "items[1].quantity"),
        ({"customer": None}, "customer"),
        ({"customer": {"name": "A"}}, "customer.email"),
        ({"customer": {"name": " ", "email": "a@b.co"}}, "customer.name"),
        ({"customer": {"name": "a\nb", "email": "a@b.co"}}, "customer.name"),
        ({"customer": {"name": "\ud800", "email": "a@b.co"}}, "customer.name"),
        ({"customer": {"name": "A" * 101, "email": "a@b.co"}}, "customer.name"),
        ({"customer": {"name": "A", "email": "a@b"}}, "customer.email"),
        ({"user_id": "usr_nobody"}, "user_id"),
        ({"address": {**ADDRESS, "country": "XX"}}, "address.country"),
        ({"address": {**ADDRESS, "country": "de"}}, "address.country"),
        ({"address": {**ADDRESS, "line1": 7}}, "address.line1"),
        ({"address": []}, "address"),
        ({"payment": {"method": "cash", "token": "tok_ok"}}, "payment.method"),
        ({"payment": {"method": "test_card", "token": "4111111111111111"}}, "payment.token"),
        ({"gift_wrap": "yes"}, "gift_wrap"),
        ({"expected_total_cents": "12"}, "expected_total_cents"),
        ({"idempotency_key": "with space"}, "idempotency_key"),
        ({"idempotency_key": 7}, "idempotency_key"),
    ],
)
def test_a_refusal_names_the_field(shop: Shop, change: dict[str, object], field: str) -> None:
    before = shop.get("/api/analytics").json["orders"]
    answer = shop.call("POST", "/api/checkout", purchase(**change))
    assert (answer.status, answer.error["field"]) == (422, field)
    assert answer.error["detail"].startswith(field)
    assert "traceback" not in answer.error
    assert shop.get("/api/analytics").json["orders"] == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"items": NaN}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"items": 1' + b"0" * 5000 + b"}",
    ],
)
def test_broken_json_is_a_400(shop: Shop, body: bytes) -> None:
    answer = shop.call("POST", "/api/checkout", body)
    assert (answer.status, answer.error["type"]) == (400, "BadRequestError")


def test_json_that_is_no_object_is_a_422(shop: Shop) -> None:
    assert shop.call("POST", "/api/checkout", [1]).status == 422


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_a_415(shop: Shop, content_type: str) -> None:
    answer = shop.call("POST", "/api/users", b"{}", {"Content-Type": content_type})
    assert (answer.status, answer.error["type"]) == (415, "UnsupportedMediaTypeError")


def test_an_oversized_body_is_a_413_that_the_client_can_read(shop: Shop) -> None:
    answer = shop.call("POST", "/api/checkout", b" " * 5_000_000)
    assert (answer.status, answer.error["type"]) == (413, "BodyTooLargeError")
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Content-Length: -1", 400),
        ("Content-Length: +5", 400),
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        ("Content-Length: 99999999999999999999999", 413),
        ("Transfer-Encoding: chunked", 411),
    ],
)
def test_a_body_of_unclear_length_is_refused(shop: Shop, headers: str, status: int) -> None:
    with socket.create_connection(("127.0.0.1", shop.port), timeout=5) as raw:
        raw.sendall(f"POST /api/quote HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode())
        answer = raw.makefile("rb").read()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/orders?limit=abc", "limit"),
        ("/api/orders?limit=0", "limit"),
        ("/api/orders?limit=101", "limit"),
        ("/api/orders?limit=-1", "limit"),
        ("/api/orders?after=ord_none", "after"),
        ("/api/users?after=usr_none", "after"),
        ("/api/products?sort=stock;DROP", "sort"),
        (f"/api/products?q={'a' * 101}", "q"),
    ],
)
def test_a_wrong_query_names_its_field(shop: Shop, path: str, field: str) -> None:
    answer = shop.get(path)
    assert (answer.status, answer.error["field"]) == (422, field)


def test_html_and_sql_in_a_name_are_only_text(shop: Shop) -> None:
    name = "<script>alert(1)</script>'; DROP TABLE orders; --"
    placed = shop.buy(customer={"name": name, "email": "x@example.com"})
    assert placed.status == 201
    assert shop.get(f"/api/orders/{placed.json['id']}").json["customer"]["name"] == name


def test_a_name_may_hold_any_script_and_a_hard_space(shop: Shop) -> None:
    name = "Zoë\u00a0李 \U0001f600"
    placed = shop.buy(customer={"name": name, "email": "x@example.com"})
    assert placed.json["customer"]["name"] == name
