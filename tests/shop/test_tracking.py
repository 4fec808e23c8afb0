"""Orders on their way: seen wherever they were placed, asked for only while somebody watches."""

from __future__ import annotations

import json

import pytest

from shop import announce, tracking
from shop.models import Checkout
from tests.shop.store import MUG, Store

pytestmark = pytest.mark.django_db


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """Return what was pushed."""
    events: list[dict[str, object]] = []
    monkeypatch.setattr("monitoring.realtime._send", lambda text: events.append(json.loads(text)))
    return events


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have somebody look at the orders."""
    monkeypatch.setattr("monitoring.watching.anybody", lambda what: what == tracking.WATCHED)


@pytest.mark.django_db(transaction=True)
def test_an_order_placed_at_the_api_itself_is_pushed_to_the_team(
    store: Store, said: list[dict[str, object]], watched: None
) -> None:
    tracking.look()
    assert said == []
    order = store.shop.buy().json
    assert tracking.look() == 1
    assert said == [{"kind": announce.KIND, "service": "shop", "orders": [order["id"]]}]
    assert tracking.look() == 0


@pytest.mark.django_db(transaction=True)
def test_a_parcel_that_moves_is_told_to_its_own_shopper_without_a_name(
    store: Store, said: list[dict[str, object]], watched: None
) -> None:
    row = store.buy()
    tracking.look()
    said.clear()
    store.shop.edit_config(lambda c: c["order_step_seconds"].update(packed=0, shipped=1000))
    assert tracking.look() == 1
    row.refresh_from_db()
    assert row.order["status"] == "packed"
    assert [event.get("code") for event in said] == [None, row.code]
    assert said[1]["audience"] == announce.audience(row.shopper)
    assert row.shopper not in json.dumps(said)
    assert "nora" not in json.dumps(said).lower()


@pytest.mark.django_db(transaction=True)
def test_a_purchase_at_the_storefront_is_pushed_at_once(
    store: Store, said: list[dict[str, object]]
) -> None:
    row = store.buy()
    assert said[-1]["order"] == row.order_id
    assert said[-1]["code"] == row.code


def test_nothing_is_asked_while_nobody_watches(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.watching.anybody", lambda what: False)
    before = begun(store)
    assert tracking.look() == 0
    assert begun(store) == before + 1


def begun(store: Store) -> int:
    """Return how many requests the shop was asked; one that was just answered may not count as served yet."""
    health = store.shop.get("/health").json
    return int(health["requests_served"]) + int(health["requests_active"])


def test_an_order_is_shown_as_last_told_while_the_shop_is_away(store: Store) -> None:
    row = store.buy(MUG, 2)
    store.shop.kill()
    assert tracking.order_of(Checkout.objects.get(pk=row.pk))["id"] == row.order_id
    assert store.see(f"/shop/orders/{row.code}/").status_code == 200
