"""Whatever is killed in the middle of a purchase, and whenever: it is placed once, and its shopper finds it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from shop import placement, target
from shop.models import Checkout
from tests.shop.store import MUG, Store, text_of

pytestmark = pytest.mark.django_db(transaction=True)
_WEB_PROCESS = """
import json, os, signal, sys
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from django.test import Client
from shop import placement, target
def end(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
def sent_then_end(*args, **kwargs):
    real(*args, **kwargs)
    end()
real = target.tell
if sys.argv[2] == "row":
    placement.attempt = end
elif sys.argv[2] == "claim":
    target.tell = end
else:
    target.tell = sent_then_end
browser = Client()
browser.cookies[settings.SESSION_COOKIE_NAME] = sys.argv[3]
browser.post("/shop/checkout/", json.loads(sys.argv[4]), headers={"host": "localhost"})
"""


def pay_in_a_process_that_is_killed(store: Store, form: dict[str, str], after: str) -> None:
    """Press "Pay" at a web process of its own, which is killed after its row, its claim or its call."""
    session = store.client.cookies[settings.SESSION_COOKIE_NAME].value
    web = subprocess.run(  # noqa: S603 - our own interpreter
        [
            *(sys.executable, "-c", _WEB_PROCESS, str(connection.settings_dict["NAME"])),
            *(after, session, json.dumps(form)),
        ],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "agentops_site.settings"},
        timeout=60,
        check=False,
    )
    assert web.returncode == -signal.SIGKILL


def outbox(store: Store) -> None:
    """Let the outbox run when every lease has ended."""
    target.hung.forget()
    Checkout.objects.update(claimed_until=None)
    placement.place_waiting(now=timezone.now() + timedelta(minutes=1))


@pytest.mark.parametrize(("after", "sold"), [("row", 0), ("claim", 0), ("call", 1)])
def test_a_web_process_killed_in_a_purchase_loses_and_doubles_nothing(
    store: Store, after: str, sold: int
) -> None:
    store.add(MUG, 2)
    form = store.at_checkout()
    pay_in_a_process_that_is_killed(store, form, after)
    row = Checkout.objects.get()
    assert (row.state, len(store.sold())) == (Checkout.State.WAITING, sold)
    page = store.pay(form)  # the shopper saw a broken page, and presses again
    assert row.code in text_of(page)
    outbox(store)
    outbox(store)
    row.refresh_from_db()
    assert row.state == Checkout.State.PLACED
    assert [order["id"] for order in store.sold()] == [row.order_id]
    assert store.sold()[0]["total_cents"] == int(form["total"])


def test_a_shop_killed_after_it_sold_and_before_it_answered_sells_once(store: Store) -> None:
    store.add()
    form = store.at_checkout()
    file = store.shop.directory / "checkout.py"
    whole = file.read_text()
    sold_out = "    app.products.clear()\n"
    assert sold_out in whole
    port = store.shop.port
    store.shop.kill()
    file.write_text(
        whole.replace(sold_out, "    import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n")
    )
    store.shop.start(port)
    target.hung.forget()
    page = store.pay(form)
    assert store.shop.process is not None
    assert store.shop.process.wait(10) == -signal.SIGKILL
    assert "kept safe" in text_of(page)
    file.write_text(whole)
    store.shop.start(port)
    assert len(store.sold()) == 1
    outbox(store)
    row = Checkout.objects.get()
    assert (row.state, row.order_id) == (Checkout.State.PLACED, store.sold()[0]["id"])
    assert len(store.sold()) == 1
