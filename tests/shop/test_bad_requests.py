"""Requests that no page of ours makes: each is refused in words, none is a failure of ours, and nothing is ordered."""

from __future__ import annotations

import pytest
from django.test import Client

from shop.models import Checkout
from tests.shop.store import MUG, PERSON, Store, text_of

pytestmark = pytest.mark.django_db
SCRIPT = "<script>alert(1)</script>"
ODD = ["\0", "a\0b", SCRIPT, "x" * 5000, "\u202e\ud7ff", "../../etc/passwd", "' OR 1=1 --"]
WRITES = ("cart/add", "cart/change", "checkout/totals", "account/forget", "orders/AAAA-AAAA/agree")


@pytest.mark.parametrize("odd", ODD)
def test_odd_words_in_an_address_find_nothing(store: Store, odd: str) -> None:
    found = store.client.get("/shop/", {"q": odd, "category": odd, "sort": odd, "page": odd})
    assert found.status_code == 200
    assert SCRIPT not in found.content.decode()
    for path in (f"/shop/products/{odd}/", f"/shop/orders/{odd}/", f"/shop/orders/{odd}/state/"):
        assert store.client.get(path.replace("\0", "%00")).status_code == 404
    for action in ("agree", "cancel", "again"):
        path = f"/shop/orders/{odd}/{action}/".replace("\0", "%00")
        assert store.client.post(path, {"total": odd}).status_code == 404


def test_a_category_and_a_page_that_do_not_exist_say_what_to_do(store: Store) -> None:
    page = text_of(store.see("/shop/?category=submarines&page=99999999999"))
    assert "Nothing found" in page
    assert "Stoneware Mug" in text_of(store.see("/shop/?page=-1"))
    assert store.see("/shop/orders/ZZZZ-ZZZZ/").status_code == 404


@pytest.mark.parametrize("odd", ODD)
def test_odd_words_in_the_checkout_order_nothing_and_stay_on_the_page(
    store: Store, odd: str
) -> None:
    store.add()
    form = store.at_checkout()
    for name in ("key", "cart", "total", "country", "card", "email"):
        page = store.pay(form, **{name: odd})
        assert page.status_code in {200, 422}, name
        assert SCRIPT not in page.content.decode()
    assert not Checkout.objects.exists()
    assert store.cart() == {MUG: 1}
    store.pay(form)
    assert len(store.sold()) == 1


@pytest.mark.parametrize("field", sorted(set(PERSON) - {"country", "card"}))
def test_a_null_byte_in_a_field_is_refused_beside_it(store: Store, field: str) -> None:
    store.add()
    page = store.pay(None, **{field: "nora\0@example.com"})
    assert page.status_code == 422
    assert page.content.count(b"field__error") == 1
    assert not Checkout.objects.exists()


@pytest.mark.parametrize("odd", ODD)
def test_odd_words_in_the_cart_and_the_account_change_nothing(store: Store, odd: str) -> None:
    store.add()
    assert store.add(odd).status_code == 422
    assert store.add(MUG, odd).status_code == 422
    assert store.change(odd).status_code == 422
    assert store.change(3, odd).status_code == 200
    assert store.cart() == {MUG: 1}
    page = store.client.post("/shop/account/", {"name": odd, "email": odd})
    assert page.status_code == 422
    assert SCRIPT not in page.content.decode()


def test_an_address_with_html_in_it_is_shown_as_typed(store: Store) -> None:
    address = "<b>nora</b>@example.com"
    signed = store.client.post("/shop/account/", {"name": "Nora", "email": address}, follow=True)
    assert b"<b>nora" not in signed.content
    row = store.buy(email=address)
    assert b"<b>nora" not in store.see(f"/shop/orders/{row.code}/").content


@pytest.mark.parametrize("path", WRITES)
def test_a_write_is_not_made_by_following_a_link(store: Store, path: str) -> None:
    assert store.client.get(f"/shop/{path}/").status_code == 405


@pytest.mark.parametrize("path", ["", "cart/", "orders/", f"products/{MUG}/"])
def test_a_page_takes_no_form(store: Store, path: str) -> None:
    assert store.client.post(f"/shop/{path}").status_code == 405
    assert store.client.delete(f"/shop/{path}").status_code == 405


@pytest.mark.parametrize("path", [*WRITES, "checkout", "account"])
def test_a_form_without_its_token_is_refused_in_words(store: Store, path: str) -> None:
    stranger = Client(enforce_csrf_checks=True)
    answer = stranger.post(f"/shop/{path}/", {"product": MUG, "quantity": "1"})
    assert answer.status_code == 403
    assert text_of(answer)
    assert not Checkout.objects.exists()


def test_a_form_of_many_megabytes_is_refused(store: Store) -> None:
    store.add()
    answer = store.client.post("/shop/checkout/", {"name": "x" * 3_000_000})
    assert answer.status_code in {400, 413}
    assert store.cart() == {MUG: 1}


def test_a_stock_that_fell_below_the_cart_is_said_before_anything_is_charged(store: Store) -> None:
    store.add("merino-throw", 20)
    form = store.at_checkout()
    other = Store(Client(), store.shop)
    other.buy("merino-throw", 10)
    page = store.pay(form)
    assert page.status_code == 422
    assert "only 16 left" in text_of(page)
    assert len(store.sold()) == 1
    store.pay()
    assert [order["items"][0]["quantity"] for order in store.sold()] == [10, 16]


def test_a_cart_that_was_sold_out_meanwhile_leads_back_with_the_reason(store: Store) -> None:
    store.add("merino-throw", 20)
    form = store.at_checkout()
    Store(Client(), store.shop).buy("merino-throw", 26)
    page = store.pay(form)
    assert "sold out" in text_of(page)
    assert (store.cart(), len(store.sold())) == ({}, 1)
