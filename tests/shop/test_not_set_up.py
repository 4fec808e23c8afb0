"""Without a shop behind it the storefront says so, and to whoever may change that also how; nobody is told of an outage."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from monitoring.models import Service
from shop import target
from shop.models import Checkout, LastGood
from teams.models import User
from tests.shop.store import HTMX, MUG, Store, text_of

pytestmark = pytest.mark.django_db
PAGES = ["/shop/", f"/shop/products/{MUG}/", "/shop/cart/", "/shop/checkout/"]


@pytest.mark.parametrize("path", PAGES)
def test_a_shopper_reads_plain_words_and_not_of_an_outage(client: Client, path: str) -> None:
    page = client.get(path)
    assert page.status_code == 404
    assert "There is no shop here" in text_of(page)
    assert "not answering" not in text_of(page)
    assert "SHOP_SERVICE" not in text_of(page)
    assert "/admin/" not in page.content.decode()


def test_what_was_read_of_a_shop_that_was_removed_is_not_offered(client: Client) -> None:
    LastGood.keep("/api/products", {"items": [], "currency": "EUR"}, timezone.now())
    assert client.get("/shop/").status_code == 404


def test_a_manager_is_led_to_the_form_that_sets_it_up(client: Client, maya: User) -> None:
    client.force_login(maya)
    page = client.get("/shop/")
    assert page.status_code == 404
    assert 'href="/admin/monitoring/service/add/"' in page.content.decode()
    assert f"SHOP_SERVICE={settings.SHOP_SERVICE}" in text_of(page)
    assert "./agentops up --demo" in text_of(page)


def test_a_team_lead_is_told_whom_to_ask(client: Client, shweta: User) -> None:
    client.force_login(shweta)
    page = client.get("/shop/")
    assert "manager" in text_of(page)
    assert "/admin/" not in page.content.decode()


def test_nothing_is_sold(client: Client) -> None:
    added = client.post("/shop/cart/add/", {"product": MUG}, headers=HTMX)
    assert added.status_code == 404
    assert "There is no shop here" in added["HX-Trigger"]
    assert client.post("/shop/checkout/", {"key": "k"}).status_code == 404
    assert not Checkout.objects.exists()


def test_an_order_of_before_is_still_shown(store: Store) -> None:
    store.see()
    store.add()
    store.pay(store.at_checkout())
    code = Checkout.objects.get().code
    Service.objects.all().delete()
    target._known = None
    assert store.client.get(f"/shop/orders/{code}/").status_code == 200
    assert code in text_of(store.client.get("/shop/orders/"))
