from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.target_app.shop import MUG_CENTS, MUG_STOCK, Answer, Shop, items, purchase


@pytest.mark.parametrize(
    ("country", "cart", "shipping", "tax"),
    [
        ("DE", ("stoneware-mug", 1, False), 490, 352),  # 1850 x 0.19 = 351.5: half a cent goes up
        ("DE", ("stoneware-mug", 1, True), 490, 418),  # (1850 + 350) x 0.19
        ("DE", ("stoneware-mug", 3, False), 0, 1055),  # 5550 x 0.19 = 1054.5; over 5000: free
        ("CH", ("solid-shampoo", 1, False), 1290, 96),  # 1190 x 0.081 = 96.39; default shipping
        ("US", ("stoneware-mug", 1, False), 2490, 0),
    ],
)
def test_a_quote_follows_the_stated_rules(
    shop: Shop, country: str, cart: tuple[str, int, bool], shipping: int, tax: int
) -> None:
    product, quantity, wrap = cart
    body = {"items": items(product, quantity), "country": country, "gift_wrap": wrap}
    quote = shop.call("POST", "/api/quote", body).json
    wrapping = 350 if wrap else 0
    assert quote["gift_wrap_cents"] == wrapping
    assert (quote["shipping_cents"], quote["tax_cents"]) == (shipping, tax)
    assert quote["total_cents"] == quote["subtotal_cents"] + wrapping + shipping + tax


def test_shipping_is_free_from_exactly_the_limit(own_shop: Shop) -> None:
    body = {"items": items("stoneware-mug", 2), "country": "DE"}

    def shipping_when_free_over(cents: int) -> int:
        own_shop.edit_config(lambda c: c["shipping"]["DE"].update(free_over_cents=cents))
        return int(own_shop.call("POST", "/api/quote", body).json["shipping_cents"])

    assert shipping_when_free_over(2 * MUG_CENTS) == 0
    assert shipping_when_free_over(2 * MUG_CENTS + 1) == 490


def test_a_purchase_is_priced_as_quoted_recorded_and_taken_from_stock(own_shop: Shop) -> None:
    listing = "/api/products?category=kitchen"
    assert own_shop.get(listing).status == 200  # so that a stale list would be in the cache
    cart = {"items": items("stoneware-mug", 2), "gift_wrap": True}
    quote = own_shop.call("POST", "/api/quote", {**cart, "country": "DE"}).json
    placed = own_shop.buy(None, **cart, expected_total_cents=quote["total_cents"])
    assert placed.status == 201
    order = placed.json
    assert placed.headers["Location"] == f"/api/orders/{order['id']}"
    assert {name: order[name] for name in quote} == quote
    assert order["payment"]["status"] == "captured"
    assert order["payment"]["amount_cents"] == order["total_cents"]
    assert order["status"] == "placed"
    assert own_shop.stock("stoneware-mug") == MUG_STOCK - 2
    listed = own_shop.get(listing).json["items"]
    assert next(p["stock"] for p in listed if p["id"] == "stoneware-mug") == MUG_STOCK - 2


def test_a_total_that_is_not_the_shown_one_is_refused(own_shop: Shop) -> None:
    answer = own_shop.buy(expected_total_cents=1)
    assert (answer.status, answer.error["type"]) == (409, "PriceChangedError")
    assert own_shop.stock("stoneware-mug") == MUG_STOCK


def test_the_same_product_twice_is_added_up(own_shop: Shop) -> None:
    order = own_shop.buy(items=items("brass-pen", 1) + items("brass-pen", 2)).json
    assert [(line["product_id"], line["quantity"]) for line in order["items"]] == [("brass-pen", 3)]


def test_more_than_the_stock_is_refused_and_nothing_is_taken(own_shop: Shop) -> None:
    wanted = items("stoneware-mug", 1) + items("linen-sheet-set", 23)
    answer = own_shop.buy(items=wanted)
    assert (answer.status, answer.error["type"]) == (409, "OutOfStockError")
    assert "linen-sheet-set: 23 wanted, 22 left" in answer.error["detail"]
    assert own_shop.stock("stoneware-mug") == MUG_STOCK


@pytest.mark.parametrize("in_header", [True, False])
def test_a_repeat_gets_the_same_bytes_and_charges_once(own_shop: Shop, *, in_header: bool) -> None:
    def buy() -> Answer:
        return own_shop.buy("cart-1") if in_header else own_shop.buy(idempotency_key="cart-1")

    first, second = buy(), buy()
    assert (first.status, second.status) == (201, 201)
    assert first.raw == second.raw
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert own_shop.get("/api/analytics").json["orders"] == 1
    assert own_shop.stock("stoneware-mug") == MUG_STOCK - 1


def test_header_and_body_key_must_agree(shop: Shop) -> None:
    assert shop.buy(key="a-1", idempotency_key="a-2").status == 422
    assert shop.buy(key="a-3", idempotency_key="a-3").status == 201


def test_the_same_key_for_another_cart_is_a_409(own_shop: Shop) -> None:
    own_shop.buy(key="cart-2")
    other = own_shop.buy(key="cart-2", items=items("brass-pen", 1))
    assert (other.status, other.error["field"]) == (409, "idempotency_key")
    elsewhere = own_shop.call("POST", "/api/orders", purchase(), {"Idempotency-Key": "cart-2"})
    assert elsewhere.status == 409
    assert own_shop.get("/api/analytics").json["orders"] == 1


def test_a_declined_card_is_a_402_and_sells_nothing(own_shop: Shop) -> None:
    declined = {"method": "test_card", "token": "tok_declined"}
    first = own_shop.buy(key="cart-3", payment=declined)
    assert (first.status, first.error["type"]) == (402, "PaymentDeclinedError")
    assert own_shop.buy(key="cart-3", payment=declined).raw == first.raw
    assert own_shop.stock("stoneware-mug") == MUG_STOCK
    assert own_shop.buy(key="cart-4").status == 201


def test_a_slow_gateway_is_a_504_and_may_be_tried_again(own_shop: Shop) -> None:
    own_shop.edit_config(lambda config: config["payment"].update(timeout_seconds=0.05))
    slow = own_shop.buy(key="c", payment={"method": "test_card", "token": "tok_slow"})
    assert (slow.status, slow.error["type"]) == (504, "PaymentTimeoutError")
    assert own_shop.get("/api/analytics").json["orders"] == 0
    assert own_shop.buy(key="c").status == 201


def test_forty_shoppers_get_the_last_ten_pieces_and_no_more(own_shop: Shop) -> None:
    own_shop.buy(items=items("linen-sheet-set", 12))
    assert own_shop.stock("linen-sheet-set") == 10
    with ThreadPoolExecutor(40) as pool:
        answers = list(
            pool.map(lambda n: own_shop.buy(f"k-{n}", items=items("linen-sheet-set", 1)), range(40))
        )
    assert Counter(answer.status for answer in answers) == {201: 10, 409: 30}
    assert own_shop.stock("linen-sheet-set") == 0
    assert own_shop.get("/api/products/linen-sheet-set").json["in_stock"] is False


def test_one_key_sent_twenty_times_at_once_is_one_order(own_shop: Shop) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: own_shop.buy(key="double-click"), range(20)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.raw for answer in answers}) == 1
    assert own_shop.get("/api/analytics").json["orders"] == 1
    assert own_shop.stock("stoneware-mug") == MUG_STOCK - 1


def test_fifty_shoppers_at_once_are_all_served(own_shop: Shop) -> None:
    def visit(number: int) -> list[int]:
        return [
            own_shop.get("/api/products").status,
            own_shop.get("/api/products/hand-balm").status,
            own_shop.buy(f"s-{number}", items=items("hand-balm", 2)).status,
            own_shop.get("/api/orders?limit=5").status,
        ]

    with ThreadPoolExecutor(50) as pool:
        visits = list(pool.map(visit, range(50)))
    assert visits == [[200, 200, 201, 200]] * 50
    assert own_shop.stock("hand-balm") == 190 - 100


def test_a_parcel_moves_by_the_configured_steps(own_shop: Shop) -> None:
    placed = own_shop.buy(key="parcel")
    order_id = placed.json["id"]
    assert placed.json["next_step"]["status"] == "packed"
    waiting = {"packed": 3600, "shipped": 3600, "delivered": 3600}
    for reached in ("packed", "shipped", "delivered"):
        waiting[reached] = 0
        own_shop.edit_config(lambda config: config.update(order_step_seconds=waiting))
        order = own_shop.get(f"/api/orders/{order_id}").json
        assert order["status"] == reached
        assert order["timeline"][-1]["status"] == reached
    assert order["next_step"] is None
    assert own_shop.buy(key="parcel").raw == placed.raw
