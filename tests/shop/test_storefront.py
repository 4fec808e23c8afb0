"""Looking around, the cart, the checkout, and orders on their way."""

from __future__ import annotations

import json

import pytest
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from monitoring import recorder
from shop.models import Checkout
from tests.shop.store import MUG, Store, text_of

pytestmark = pytest.mark.django_db


def test_the_catalogue_shows_every_product_with_price_and_stock(store: Store) -> None:
    page = store.see()
    listed = store.shop.get("/api/products").json["items"]
    shown = text_of(page)
    assert page.status_code == 200
    assert all(product["name"] in shown for product in listed)
    assert "\u20ac18.50" in shown


def test_a_category_a_search_and_an_order_of_sorting_narrow_it(store: Store) -> None:
    page = text_of(store.see("/shop/?category=care&sort=price_asc"))
    assert page.index("Solid Shampoo") < page.index("Hand Balm") < page.index("Safety Razor")
    assert "Walnut" not in page
    assert "Insulated Bottle" in text_of(store.see("/shop/?q=750+ml"))
    assert "Nothing found" in text_of(store.see("/shop/?q=submarine"))


def test_a_product_page_shows_stock_and_rating_and_an_unknown_one_is_a_404(store: Store) -> None:
    page = text_of(store.see(f"/shop/products/{MUG}/"))
    assert "Stoneware Mug" in page
    assert "In stock" in page
    assert "4.7" in page
    assert store.see("/shop/products/nothing/").status_code == 404


def test_the_cart_is_changed_in_place_and_priced_by_the_shop(store: Store) -> None:
    added = store.add(MUG, 2)
    assert json.loads(added["HX-Trigger"])["toast"]["tone"] == "ok"
    quote = store.shop.call(
        "POST", "/api/quote", {"items": [{"product_id": MUG, "quantity": 3}]}
    ).json
    changed = store.change(3)
    assert f"\u20ac{quote['total_cents'] / 100:.2f}" in text_of(changed)
    assert store.cart() == {MUG: 3}
    store.change(0)
    assert store.cart() == {}


def test_a_purchase_is_confirmed_and_is_in_my_orders_of_this_session_only(store: Store) -> None:
    row = store.buy(quantity=2)
    assert row.state == Checkout.State.PLACED
    assert [order["id"] for order in store.sold()] == [row.order_id]
    assert store.sold()[0]["total_cents"] == row.expected_cents
    assert "Thank you" in text_of(store.see(f"/shop/orders/{row.code}/"))
    assert row.code in text_of(store.see("/shop/orders/"))
    assert "</time> ," not in store.see("/shop/orders/").content.decode()
    assert store.cart() == {}

    stranger = Client()
    assert stranger.get(f"/shop/orders/{row.code}/").status_code == 404
    assert row.code not in text_of(stranger.get("/shop/orders/"))


def test_tax_shipping_and_gift_wrap_are_those_of_the_shop(store: Store) -> None:
    store.add(MUG, 1)
    form = store.at_checkout() | {"country": "CH", "gift_wrap": "on"}
    shown = store.client.post("/shop/checkout/totals/", form)
    body = {
        "items": [{"product_id": MUG, "quantity": 1}],
        "country": "CH",
        "gift_wrap": True,
    }
    quote = store.shop.call("POST", "/api/quote", body).json
    assert f"\u20ac{quote['total_cents'] / 100:.2f}" in text_of(shown)
    store.pay(form | {"total": str(quote["total_cents"])})
    assert store.sold()[0]["total_cents"] == quote["total_cents"]


def test_a_declined_card_is_told_charges_nothing_and_leaves_the_cart(store: Store) -> None:
    row = store.buy(card="tok_declined")
    assert row.state == Checkout.State.DECLINED
    assert "declined" in text_of(store.see(f"/shop/orders/{row.code}/"))
    assert store.cart() == {MUG: 1}
    assert store.sold() == []
    store.pay()
    assert len(store.sold()) == 1


def test_a_customer_signs_up_and_orders_on_that_name(store: Store) -> None:
    signed = store.client.post(
        "/shop/account/", {"name": "Ada <b>B</b>", "email": "ada@example.com"}, follow=True
    )
    assert "Welcome, Ada <b>B</b>" in text_of(signed)
    assert b"<b>B</b>" not in signed.content
    row = store.buy()
    assert store.sold()[0]["customer"]["name"] == "Ada <b>B</b>"
    assert row.request["user_id"].startswith("usr_")
    taken = Client().post("/shop/account/", {"name": "Eve", "email": "ada@example.com"})
    assert "registered already" in text_of(taken)


def test_a_parcel_moves_on_the_order_page(store: Store) -> None:
    row = store.buy()
    assert (
        'aria-current="step" data-done>Placed'
        in store.see(f"/shop/orders/{row.code}/").content.decode()
    )
    steps = {"packed": 0, "shipped": 0, "delivered": 1000}
    store.shop.edit_config(lambda config: config["order_step_seconds"].update(steps))
    state = store.see(f"/shop/orders/{row.code}/state/").content.decode()
    assert 'aria-current="step" data-done>Shipped' in state
    assert "<h1>Your order is on its way.</h1>" in state
    row.refresh_from_db()
    assert row.order["status"] == "shipped"


def test_the_number_of_queries_does_not_depend_on_the_number_of_orders(store: Store) -> None:
    row = store.buy()
    with CaptureQueriesContext(connection) as one:
        store.see("/shop/orders/")
    for number in range(20):
        Checkout.objects.create(
            key=f"k{number}", shopper=row.shopper, request=row.request, quote=row.quote
        )
    with CaptureQueriesContext(connection) as many:
        store.see("/shop/orders/")
    assert len(one) == len(many)


def test_who_only_looks_around_writes_nothing_and_asks_the_shop_once_a_page(
    store: Store, settings: LazySettings
) -> None:
    """One writer at a time: a row a page made fifty shoppers wait for seconds behind one another."""
    settings.RECORDER_BUFFER_SECONDS = 60.0
    settings.SHOP_SERVICE_SECONDS = 60.0
    store.add()
    for path in ("/shop/", "/shop/cart/", "/shop/checkout/"):
        store.see(path)
    served = store.shop.get("/health").json["requests_served"]
    pages = ("/shop/", "/shop/?q=linen", f"/shop/products/{MUG}/", "/shop/cart/", "/shop/checkout/")
    with CaptureQueriesContext(connection) as asked:
        for path in pages:
            assert store.see(path).status_code == 200
    written = [one["sql"] for one in asked if not one["sql"].startswith("SELECT")]
    assert written == []
    assert store.shop.get("/health").json["requests_served"] == served + len(pages) + 1
    recorder._later.flush()
