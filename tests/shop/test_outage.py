"""While the shop is down: the shelf, the cart, the outbox, and everything that may be killed half way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from monitoring.models import HealthChange, Service
from shop import placement, target, tasks
from shop.models import Checkout
from tests.shop.store import MUG, Store, text_of

pytestmark = pytest.mark.django_db


def down(store: Store) -> int:
    """Kill the shop and return its port."""
    port = store.shop.port
    store.shop.kill()
    return port


def waiting_order(store: Store) -> Checkout:
    """Buy one mug while the shop is down, having looked around before."""
    store.see()
    store.see("/shop/checkout/")
    store.add()
    form = store.at_checkout()
    down(store)
    store.pay(form)
    return Checkout.objects.latest("id")


def come_back(store: Store) -> None:
    store.shop.start(store.shop.port)
    target.hung.forget()


def place_all(now_plus: float = 60) -> int:
    return placement.place_waiting(now=timezone.now() + timedelta(seconds=now_plus))


def test_the_catalogue_is_served_from_the_last_good_answer_and_says_so(store: Store) -> None:
    store.see()
    down(store)
    page = store.see()
    assert page.status_code == 200
    assert "Stoneware Mug" in text_of(page)
    assert "not answering" in text_of(page)
    assert "<time" in page.content.decode()
    assert "Solid Shampoo" in text_of(store.see("/shop/?category=care"))
    assert "Stoneware Mug" in text_of(store.see(f"/shop/products/{MUG}/"))


def test_without_any_former_answer_the_shop_still_answers(store: Store) -> None:
    down(store)
    assert "cannot be shown" in text_of(store.see())
    assert store.see(f"/shop/products/{MUG}/").status_code == 503


def test_goods_can_be_put_into_the_cart_and_ordered_while_the_shop_is_down(store: Store) -> None:
    store.see()
    tasks.refill_shelf()
    down(store)
    store.add(MUG, 2)
    assert store.cart() == {MUG: 2}
    page = store.pay()
    row = Checkout.objects.get()
    assert row.state == Checkout.State.WAITING
    assert "Nothing has been charged" in text_of(page)
    come_back(store)
    assert place_all() == 1
    row.refresh_from_db()
    assert row.state == Checkout.State.PLACED
    assert [order["total_cents"] for order in store.sold()] == [row.expected_cents]
    assert "Thank you" in text_of(store.see(f"/shop/orders/{row.code}/state/"))


def test_a_waiting_order_is_placed_exactly_once_however_often_the_outbox_runs(store: Store) -> None:
    row = waiting_order(store)
    assert store.cart() == {}
    assert place_all() == 1
    come_back(store)
    for _ in range(3):
        place_all()
    assert len(store.sold()) == 1
    row.refresh_from_db()
    assert row.order_id == store.sold()[0]["id"]


def test_a_recovery_hurries_an_order_whose_next_try_is_not_due(
    store: Store, service: Service
) -> None:
    row = waiting_order(store)
    Checkout.objects.update(next_try_at=timezone.now() + timedelta(hours=1))
    come_back(store)
    assert placement.place_waiting(now=timezone.now()) == 0
    HealthChange.objects.create(service=service, before="down", after="healthy")
    assert placement.place_waiting(now=timezone.now()) == 1
    row.refresh_from_db()
    assert row.state == Checkout.State.PLACED


def test_a_waiting_order_says_that_it_is_being_placed_as_soon_as_the_shop_is_known_to_be_well(
    store: Store, service: Service
) -> None:
    row = waiting_order(store)
    page = f"/shop/orders/{row.code}/state/"
    HealthChange.objects.create(service=service, before="healthy", after="down")
    assert "not answering" in text_of(store.see(page))
    come_back(store)
    HealthChange.objects.create(service=service, before="down", after="healthy")
    assert "We are placing your order now" in text_of(store.see(page))
    assert "not answering" not in text_of(store.see(page))
    down(store)
    place_all()
    assert "not answering" in text_of(store.see(page))


def test_an_attempt_that_nobody_answered_yet_is_no_outage(store: Store) -> None:
    """What the second answer of a double click shows, and a page whose web process was killed before it sent."""
    row = waiting_order(store)
    page = f"/shop/orders/{row.code}/state/"
    now = timezone.now()
    for attempts, claimed_until in ((0, None), (1, now + timedelta(seconds=30))):
        Checkout.objects.update(attempts=attempts, claimed_until=claimed_until, created_at=now)
        assert "We are placing your order now" in text_of(store.see(page))
    Checkout.objects.update(attempts=0, claimed_until=None, created_at=now - timedelta(minutes=1))
    assert "not answering" in text_of(store.see(page))


def test_one_sign_that_the_shop_is_away_ends_the_round(store: Store) -> None:
    row = waiting_order(store)
    for number in range(5):
        Checkout.objects.create(
            key=f"k{number}", shopper=row.shopper, request=row.request, expected_cents=1
        )
    assert place_all() == 1


def test_a_changed_price_is_asked_about_and_only_the_answer_buys(store: Store) -> None:
    row = waiting_order(store)
    agreed = row.expected_cents
    store.shop.edit_config(lambda config: config["shipping"]["DE"].update(flat_cents=990))
    come_back(store)
    place_all()
    row.refresh_from_db()
    assert (row.state, store.sold()) == (Checkout.State.ASKING, [])
    page = store.see(f"/shop/orders/{row.code}/")
    assert "The total has changed" in text_of(page)
    assert row.quote["total_cents"] == (agreed or 0) + 500
    store.client.post(f"/shop/orders/{row.code}/agree/", {"total": agreed})
    assert store.sold() == []
    store.client.post(f"/shop/orders/{row.code}/agree/", {"total": row.quote["total_cents"]})
    row.refresh_from_db()
    assert row.state == Checkout.State.PLACED
    assert [order["total_cents"] for order in store.sold()] == [(agreed or 0) + 500]


def test_a_changed_price_may_be_refused_and_the_goods_are_back_in_the_cart(store: Store) -> None:
    row = waiting_order(store)
    store.shop.edit_config(lambda config: config["shipping"]["DE"].update(flat_cents=990))
    come_back(store)
    place_all()
    store.client.post(f"/shop/orders/{row.code}/cancel/")
    row.refresh_from_db()
    assert (row.state, store.cart(), store.sold()) == (Checkout.State.CANCELLED, {MUG: 1}, [])
    place_all()
    assert store.sold() == []


def test_an_order_of_an_unknown_total_is_never_placed_unasked(store: Store) -> None:
    store.see()
    down(store)
    store.add()
    store.pay()
    row = Checkout.objects.get()
    assert row.expected_cents is None
    come_back(store)
    place_all()
    row.refresh_from_db()
    assert (row.state, store.sold()) == (Checkout.State.ASKING, [])
    total = row.quote["total_cents"]
    store.client.post(f"/shop/orders/{row.code}/agree/", {"total": total})
    assert [order["total_cents"] for order in store.sold()] == [total]


def test_a_card_declined_later_is_told(store: Store) -> None:
    store.see()
    store.add()
    form = store.at_checkout()
    down(store)
    store.pay(form, card="tok_declined")
    come_back(store)
    place_all()
    row = Checkout.objects.get()
    assert row.state == Checkout.State.DECLINED
    store.client.post(f"/shop/orders/{row.code}/again/")
    assert store.cart() == {MUG: 1}
    assert store.sold() == []


def test_a_gateway_that_never_answers_ends_in_words_and_without_a_charge(store: Store) -> None:
    store.shop.edit_config(lambda config: config["payment"].update(timeout_seconds=0.05))
    row = store.buy(card="tok_slow")
    assert row.state == Checkout.State.WAITING
    place_all()
    place_all()
    row.refresh_from_db()
    assert row.state == Checkout.State.REFUSED
    assert "Nothing was charged" in row.problem
    assert store.sold() == []


def test_an_order_sold_in_an_attempt_that_nobody_heard_of_is_found_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shop sold, but our process was cut off before the answer: the repeat must not sell again."""
    monkeypatch.setattr(target, "BUY_SECONDS", 0.05)
    store.shop.edit_config(lambda config: config["payment"].update(sandbox_latency_seconds=0.4))
    row = store.buy()
    assert (row.state, row.unanswered_at is not None) == (Checkout.State.WAITING, True)
    deadline = time.monotonic() + 10
    while not store.sold():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    monkeypatch.setattr(target, "BUY_SECONDS", 5.0)
    place_all()
    row.refresh_from_db()
    assert row.order_id == store.sold()[0]["id"]
    assert len(store.sold()) == 1


def test_an_order_sold_under_the_former_total_is_found_after_agreeing_to_a_new_one(
    store: Store,
) -> None:
    """An attempt of unknown end sold at the old total; the shopper has meanwhile agreed to another."""
    row = waiting_order(store)
    come_back(store)
    body = placement.body_of(row, row.expected_cents)
    sold = store.shop.call("POST", "/api/checkout", body, {"Idempotency-Key": row.key})
    assert sold.status == 201
    row.refresh_from_db()
    assert row.ask(row.quote | {"total_cents": 9999})
    row.refresh_from_db()
    assert row.agree(9999, timezone.now())
    place_all()
    row.refresh_from_db()
    assert (row.state, row.order_id) == (Checkout.State.PLACED, sold.json["id"])
    assert len(store.sold()) == 1


def test_a_refusal_is_not_final_while_a_former_attempt_may_still_sell(store: Store) -> None:
    row = waiting_order(store)
    Checkout.objects.update(unanswered_at=timezone.now())
    come_back(store)
    body = {"items": [{"product_id": MUG, "quantity": 99}]}
    for _ in range(2):
        store.shop.call("POST", "/api/orders", {**body, "customer": row.request["customer"]})
    Checkout.objects.update(request=row.request | {"items": [{"product_id": MUG, "quantity": 60}]})
    place_all()
    row.refresh_from_db()
    assert row.state == Checkout.State.WAITING
    Checkout.objects.update(unanswered_at=timezone.now() - timedelta(minutes=1))
    place_all()
    row.refresh_from_db()
    assert row.state == Checkout.State.REFUSED


@pytest.mark.django_db(transaction=True)
def test_a_service_killed_in_the_middle_of_checkouts_loses_and_doubles_nothing(
    store: Store,
) -> None:
    store.see()
    store.shop.edit_config(lambda config: config["payment"].update(sandbox_latency_seconds=0.05))
    rows = []
    body = {
        "items": [{"product_id": MUG, "quantity": 1}],
        "address": {"line1": "a", "city": "b", "postcode": "c", "country": "DE"},
        "customer": {"name": "n", "email": "n@example.com"},
        "payment": {"method": "test_card", "token": "tok_ok"},
        "gift_wrap": False,
    }
    total = store.shop.call("POST", "/api/quote", {**body, "country": "DE"}).json["total_cents"]
    for number in range(12):
        rows.append(
            Checkout.objects.create(
                key=f"crash-{number}", shopper="s", request=body, expected_cents=total
            )
        )

    def place(part: list[Checkout]) -> None:
        from django.db import connection

        for row in part:
            placement.attempt(row)
        connection.close()

    threads = [threading.Thread(target=place, args=(rows[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10
    while Checkout.objects.filter(state="placed").count() < 3:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    store.shop.kill()
    for thread in threads:
        thread.join(30)
    assert Checkout.objects.filter(state="waiting").exists()
    come_back(store)
    place_all()
    assert set(Checkout.objects.values_list("state", flat=True)) == {"placed"}
    sold = [order["id"] for order in store.sold()]
    assert sorted(sold) == sorted(Checkout.objects.values_list("order_id", flat=True))
    assert len(set(sold)) == 12


_KILLED_WORKER = """
import os, signal, sys
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from shop import placement, target
from shop.models import Checkout
real = target.tell
def cut(*args, **kwargs):
    if sys.argv[2] == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
target.tell = cut
placement.attempt(Checkout.objects.get())
"""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_killed_between_claim_and_settling_costs_only_the_lease(
    store: Store, moment: str
) -> None:
    from django.db import connection

    if connection.vendor != "sqlite" or "memory" in str(connection.settings_dict["NAME"]):
        pytest.skip("needs a database file that a second process can open")
    row = waiting_order(store)
    come_back(store)
    worker = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _KILLED_WORKER, str(connection.settings_dict["NAME"]), moment],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "agentops_site.settings"},
        timeout=60,
        check=False,
    )
    assert worker.returncode == -signal.SIGKILL
    row.refresh_from_db()
    assert row.state == Checkout.State.WAITING
    assert len(store.sold()) == (1 if moment == "after" else 0)
    placement.place_waiting(now=timezone.now() + timedelta(seconds=5))
    row.refresh_from_db()
    assert row.state == Checkout.State.WAITING  # the dead worker's lease still holds
    Checkout.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    place_all()
    row.refresh_from_db()
    assert (row.state, len(store.sold())) == (Checkout.State.PLACED, 1)
