"""Reads for the pages of orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from shop import placement, shelf, tracking
from shop.forms import COUNTRIES
from shop.models import Checkout
from shop.money import money
from shop.pictures import picture

MOST_ORDERS = 50
STEPS = ("placed", "packed", "shipped", "delivered")
_TONES = {
    Checkout.State.WAITING: "warn",
    Checkout.State.ASKING: "ask",
    Checkout.State.PLACED: "ok",
    Checkout.State.DECLINED: "danger",
    Checkout.State.REFUSED: "danger",
    Checkout.State.CANCELLED: "",
}


def orders(shopper: str) -> list[dict[str, Any]]:
    """Return the newest orders of a shopper, by one query."""
    if not shopper:
        return []
    rows = Checkout.objects.filter(shopper=shopper).defer("request", "tried_cents")[:MOST_ORDERS]
    return [_head(row, row.order) for row in rows]


def order(row: Checkout) -> dict[str, Any]:
    """Return everything that the page of one order shows, with its status of now."""
    told = tracking.order_of(row) if row.state == Checkout.State.PLACED else row.order
    bill = told if told else row.quote
    known = {one.id: one for one in shelf.everything()}
    under_way = placement.is_under_way(row, now=timezone.now())
    head = _head(row, told) | ({"label": "Being placed", "tone": "info"} if under_way else {})
    return head | {
        "lines": [_line(line, known, _currency(bill)) for line in bill.get("items", [])],
        "totals": _totals(bill),
        "address": _address(row),
        "who": _who(row, told),
        "steps": _steps(told),
        "stage": str(told.get("status", "")),
        "reference": (told.get("payment") or {}).get("reference", ""),
        "old_total": money(row.expected_cents or 0, _currency(row.quote)),
        "had_total": row.expected_cents is not None,
        "new_total_cents": row.quote.get("total_cents"),
        "problem": row.problem,
        "attempts": row.attempts,
        "is_open": row.is_open,
        "is_under_way": under_way,
        "is_live": row.is_open or (bool(told) and told.get("status") != tracking.LAST_STEP),
    }


def _head(row: Checkout, told: Mapping[str, Any]) -> dict[str, Any]:
    bill = told if told else row.quote
    pieces = sum(line.get("quantity", 0) for line in bill.get("items", []))
    total = bill.get("total_cents")
    return {
        "code": row.code,
        "state": row.state,
        "label": str(told.get("status", "")).capitalize() or row.get_state_display().capitalize(),
        "tone": _TONES[Checkout.State(row.state)],
        "created_at": row.created_at,
        "pieces": f"{pieces} piece" if pieces == 1 else f"{pieces} pieces",
        "total": money(total, _currency(bill)) if isinstance(total, int) else "to be confirmed",
        "version": row.attempts,
    }


def _currency(bill: Mapping[str, Any]) -> str:
    return str(bill.get("currency") or "EUR")


def _line(line: Mapping[str, Any], known: Mapping[str, Any], currency: str) -> dict[str, Any]:
    product_id = str(line.get("product_id", ""))
    product = known.get(product_id)
    total = line.get("total_cents")
    return {
        "name": line.get("name") or (product.name if product else product_id),
        "picture": picture(product_id, product.category if product else ""),
        "quantity": line.get("quantity"),
        "total": money(total, currency) if isinstance(total, int) else "",
    }


def _totals(bill: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = {
        "subtotal_cents": "Goods",
        "gift_wrap_cents": "Gift wrap",
        "shipping_cents": "Shipping",
        "tax_cents": "Tax",
    }
    rows = []
    for name, label in names.items():
        cents = bill.get(name)
        if isinstance(cents, int) and (cents or name != "gift_wrap_cents"):
            free = name == "shipping_cents" and not cents
            rows.append((label, "Free" if free else money(cents, _currency(bill))))
    return rows


def _address(row: Checkout) -> list[str]:
    address = row.request.get("address") or {}
    country = str(address.get("country", ""))
    town = f"{address.get('postcode', '')} {address.get('city', '')}"
    return [str(address.get("line1", "")), town, COUNTRIES.get(country, country)]


def _who(row: Checkout, told: Mapping[str, Any]) -> str:
    customer = told.get("customer") or row.request.get("customer") or {}
    return str(customer.get("name", ""))


def _steps(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the way of the parcel: each step, whether it is done, and when it was."""
    taken = {str(step.get("status")): step.get("at") for step in told.get("timeline", [])}
    now = told.get("status")
    return [
        {"label": step.capitalize(), "done": step in taken, "current": step == now}
        for step in STEPS
    ]
