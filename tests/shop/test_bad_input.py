"""What shoppers, and others, send: nothing of it is charged twice or at a total that nobody saw."""

from __future__ import annotations

import json
import threading

import pytest
from django.db import connection
from django.test import Client

from shop.models import Checkout
from tests.shop.store import MUG, Store, text_of

pytestmark = pytest.mark.django_db
SCRIPT = "<script>alert(1)</script>"


@pytest.mark.parametrize("quantity", ["0", "-1", "1000000000", "abc", "", "1.5", "\u0663", "100"])
def test_a_quantity_that_cannot_be_bought_is_refused_in_words(store: Store, quantity: str) -> None:
    answer = store.add(MUG, quantity)
    assert answer.status_code == 422
    assert "quantity" in json.loads(answer["HX-Trigger"])["toast"]["text"]
    assert store.cart() == {}
    plain = store.client.post(
        "/shop/cart/add/", {"product": MUG, "quantity": quantity}, follow=True
    )
    assert "The quantity must be" in text_of(plain)


@pytest.mark.parametrize("quantity", ["-1", "1000000000", "abc", ""])
def test_a_bad_quantity_in_the_cart_changes_nothing(store: Store, quantity: str) -> None:
    store.add(MUG, 2)
    assert store.change(quantity).status_code == 422
    assert store.cart() == {MUG: 2}


def test_more_than_there_is_and_more_than_a_cart_takes_are_refused(store: Store) -> None:
    assert "only 22 in stock" in store.add("linen-sheet-set", 50)["HX-Trigger"]
    store.add(MUG, 60)
    assert "At most 99" in store.add(MUG, 60)["HX-Trigger"]
    assert store.cart() == {MUG: 60}


@pytest.mark.parametrize("product", ["", "nothing", "../config", "a/b", SCRIPT, "%00", "x" * 5000])
def test_a_product_that_does_not_exist_is_not_put_into_the_cart(store: Store, product: str) -> None:
    assert store.add(product).status_code == 422
    assert store.cart() == {}


def test_a_stale_cart_is_brought_in_line_and_said(store: Store) -> None:
    store.add(MUG, 3)
    session = store.client.session
    session["cart"] = {"long-gone": 2, MUG: 3, "merino-throw": 90}
    session.save()
    page = text_of(store.see("/shop/cart/"))
    assert "no longer sold" in page
    assert "only 26 left" in page
    assert store.cart() == {MUG: 3, "merino-throw": 26}


def test_html_in_every_field_is_shown_as_typed(store: Store) -> None:
    typed = dict.fromkeys(("name", "line1", "postcode", "city"), SCRIPT[:20])
    row = store.buy(MUG, 1, **typed)
    assert row.state == Checkout.State.PLACED
    for path in (f"/shop/orders/{row.code}/", "/shop/orders/", "/shop/checkout/", "/shop/cart/"):
        assert b"<script>alert" not in store.see(path).content
    assert b"<script>alert" not in store.see(f"/shop/?q={SCRIPT}&category={SCRIPT}").content
    assert store.sold()[0]["address"]["city"] == SCRIPT[:20]


def test_empty_long_and_broken_fields_are_named_and_nothing_is_ordered(store: Store) -> None:
    store.add()
    bad = {
        "name": "",
        "email": "no address",
        "line1": "x" * 201,
        "city": "a\x07b",
        "country": "XX",
        "card": "tok_mine",
    }
    page = store.pay(None, **bad)
    assert page.status_code == 422
    assert page.content.count(b"field__error") == len(bad)
    assert not Checkout.objects.exists()


def test_a_total_from_before_a_price_change_is_shown_again_and_not_charged(store: Store) -> None:
    store.add()
    form = store.at_checkout()
    store.shop.edit_config(lambda config: config["shipping"]["DE"].update(flat_cents=990))
    page = store.pay(form)
    assert page.status_code == 422
    assert "The total has changed" in text_of(page)
    assert store.sold() == []
    store.pay()
    assert store.sold()[0]["shipping_cents"] == 990


def test_a_cart_changed_in_another_tab_is_shown_again_before_it_is_paid(store: Store) -> None:
    store.add(MUG, 1)
    first_tab = store.at_checkout()
    store.add(MUG, 4)
    page = store.pay(first_tab)
    assert "Your cart has changed" in text_of(page)
    assert store.sold() == []
    store.pay()
    assert store.sold()[0]["items"][0]["quantity"] == 5


def test_the_second_tab_of_a_bought_cart_leads_to_the_same_order(store: Store) -> None:
    store.add()
    first_tab, second_tab = store.at_checkout(), store.at_checkout()
    store.pay(first_tab)
    page = store.pay(second_tab)
    assert "Thank you" in text_of(page)
    assert len(store.sold()) == 1
    store.add("hand-balm")
    store.pay(second_tab)
    assert len(store.sold()) == 1


def test_a_key_of_somebody_else_or_of_nobody_buys_nothing_and_shows_nothing(store: Store) -> None:
    row = store.buy()
    stranger = Store(Client(), store.shop)
    stranger.add()
    page = stranger.pay(stranger.at_checkout() | {"key": row.key})
    assert row.code not in text_of(page)
    assert "out of date" in text_of(page)
    assert len(store.sold()) == 1
    for path in ("agree", "cancel", "again"):
        answer = stranger.client.post(f"/shop/orders/{row.code}/{path}/")
        assert answer.status_code == 404


@pytest.mark.django_db(transaction=True)
def test_a_double_click_on_pay_buys_once(store: Store) -> None:
    store.shop.edit_config(lambda config: config["payment"].update(sandbox_latency_seconds=0.2))
    store.add()
    form = store.at_checkout()
    cookies = store.client.cookies
    together = threading.Barrier(4)
    pages: list[str] = []

    def click() -> None:
        browser = Client()
        browser.cookies = cookies
        together.wait()
        pages.append(text_of(browser.post("/shop/checkout/", form, follow=True)))
        connection.close()

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join(30)
    assert len(pages) == 4
    assert len(store.sold()) == 1
    row = Checkout.objects.get()
    assert row.state == Checkout.State.PLACED
    assert all(row.code in page for page in pages)  # every answer leads to the one order
    assert not any("not answering" in page for page in pages)
