"""Follows the shop's orders while somebody watches: new ones, wherever they were placed, and their way to the door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitoring import watching
from shop import announce, target
from shop.models import Checkout

ORDERS = "/api/orders?limit=50"
WATCHED = "orders"
LAST_STEP = "delivered"
_seen: dict[str, str] = {}  # order id -> status; a lost memory costs one push too many


def order_of(checkout: Checkout) -> Mapping[str, Any]:
    """Return a placed checkout's order as it is now; as it was last told while the shop is away."""
    if checkout.order.get("status") == LAST_STEP:
        return dict(checkout.order)
    reply = target.read(f"/api/orders/{checkout.order_id}", recorded=False)
    if not (reply.is_good and reply.body.get("id") == checkout.order_id):
        return dict(checkout.order)
    if reply.body.get("status") != checkout.order.get("status"):
        Checkout.objects.filter(pk=checkout.pk).update(order=reply.body)
    return dict(reply.body)


def look() -> int:
    """Push what is new or moved on since the last look; ask nothing while nobody watches."""
    if not watching.anybody(WATCHED):
        return 0
    reply = target.read(ORDERS, recorded=False)
    listed = reply.body.get("items") if reply.is_good else None
    if not isinstance(listed, list):
        return 0
    orders = {str(one["id"]): one for one in listed if isinstance(one, dict) and "id" in one}
    moved = [name for name, one in orders.items() if _seen.get(name) != str(one.get("status"))]
    _seen.clear()
    _seen.update({name: str(one.get("status")) for name, one in orders.items()})
    if moved:
        announce.orders_changed(moved)
        _tell_shoppers({name: orders[name] for name in moved})
    return len(moved)


def _tell_shoppers(orders: Mapping[str, Mapping[str, Any]]) -> None:
    for checkout in Checkout.objects.filter(order_id__in=orders):
        order = orders[checkout.order_id]
        if order.get("status") != checkout.order.get("status"):
            Checkout.objects.filter(pk=checkout.pk).update(order=dict(order))
            announce.checkout_changed(checkout)
