"""Says that an order changed: to its own shopper's pages and to the team's live viewer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from django.conf import settings

from monitoring import realtime
from shop.models import Checkout

KIND = "shop.order"


def audience(shopper: str) -> str:
    """Return a shopper's name on the wire: who reads it there cannot become that shopper."""
    return hashlib.sha256(f"shopper:{shopper}".encode()).hexdigest()[:24]


def checkout_changed(checkout: Checkout) -> None:
    """Tell that a checkout went on."""
    realtime.publish(
        KIND,
        {
            "service": settings.SHOP_SERVICE,
            "order": checkout.order_id,
            "code": checkout.code,
            "audience": audience(checkout.shopper),
        },
    )


def orders_changed(order_ids: Iterable[str]) -> None:
    """Tell the team that orders are new or moved on, wherever they were placed."""
    realtime.publish(KIND, {"service": settings.SHOP_SERVICE, "orders": sorted(order_ids)})
