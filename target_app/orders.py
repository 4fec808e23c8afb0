"""Orders: placing one, reading them, and where a parcel is by now."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime

import catalog
from errors import NotFoundError, invalid_field
from payments import Payment
from pricing import Quote
from store import now_ms
from validation import Customer, Draft

STEPS = ("packed", "shipped", "delivered")

Order = dict[str, object]


def place(db: sqlite3.Connection, draft: Draft, quote: Quote, payment: Payment) -> str:
    """Take the goods out of stock and record order and payment; return the id of the order.

    Runs inside the caller's transaction: a failure of any part leaves no trace of the others.
    """
    catalog.take_from_stock(db, list(quote.lines))
    customer = _resolved(db, draft.customer)
    order_id = f"ord_{secrets.token_hex(6)}"
    row = {
        "id": order_id,
        "placed_ms": now_ms(),
        "user_id": customer.user_id,
        "customer_name": customer.name,
        "customer_email": customer.email,
        "address": json.dumps(asdict(draft.address)) if draft.address else None,
        "country": quote.country,
        "currency": quote.currency,
        "subtotal_cents": quote.subtotal_cents,
        "gift_wrap_cents": quote.gift_wrap_cents,
        "shipping_cents": quote.shipping_cents,
        "tax_rate": str(quote.tax_rate),
        "tax_cents": quote.tax_cents,
        "total_cents": quote.total_cents,
    }
    number = _insert(db, "orders", row)
    for line in quote.lines:
        item = asdict(line) | {"order_number": number}
        _insert(db, "order_items", item)
    record = asdict(payment) | {"order_number": number, "created_ms": row["placed_ms"]}
    _insert(db, "payments", record)
    return order_id


def find(db: sqlite3.Connection, order_id: str, step_seconds: Mapping[str, float]) -> Order:
    """Return one order; raise NotFoundError."""
    rows = db.execute(_SELECT + " WHERE orders.id = ?", (order_id,)).fetchall()
    if not rows:
        raise NotFoundError(f"no order {order_id}")
    return _as_json(db, rows, step_seconds)[0]


def latest(
    db: sqlite3.Connection, *, limit: int, after: str, step_seconds: Mapping[str, float]
) -> tuple[list[Order], str | None]:
    """Return a page of orders, newest first, and the `after` of the next page if there is one."""
    before_number = _number_of(db, after) if after else 2**62
    rows = db.execute(
        _SELECT + " WHERE orders.number < ? ORDER BY orders.number DESC LIMIT ?",
        (before_number, limit + 1),
    ).fetchall()
    shown = rows[:limit]
    following = shown[-1]["id"] if len(rows) > limit else None
    return _as_json(db, shown, step_seconds), following


def check_customer(db: sqlite3.Connection, customer: Customer) -> None:
    """Refuse an unknown user before a payment is asked for."""
    _resolved(db, customer)


def progress(placed_ms: int, now: int, step_seconds: Mapping[str, float]) -> dict[str, object]:
    """Return the status of a parcel, the steps it has taken, and when it takes the next one.

    Each step begins its number of seconds after the one before; times are milliseconds.
    """
    moment, status = placed_ms, "placed"
    taken = [{"status": status, "at": iso(moment)}]
    for step in STEPS:
        moment += round(step_seconds[step] * 1000)
        if moment > now:
            upcoming = {"status": step, "at": iso(moment)}
            return {"status": status, "timeline": taken, "next_step": upcoming}
        status = step
        taken.append({"status": step, "at": iso(moment)})
    return {"status": status, "timeline": taken, "next_step": None}


def iso(moment_ms: int) -> str:
    """Return a stored time as ISO 8601 in UTC."""
    moment = datetime.fromtimestamp(moment_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


_SELECT = (
    "SELECT orders.*, payments.method, payments.status AS payment_status, payments.reference,"
    " payments.amount_cents FROM orders JOIN payments ON payments.order_number = orders.number"
)


def _resolved(db: sqlite3.Connection, customer: Customer) -> Customer:
    if customer.user_id is None:
        return customer
    row = db.execute(
        "SELECT id, name, email FROM users WHERE id = ?", (customer.user_id,)
    ).fetchone()
    if row is None:
        raise invalid_field("user_id", f"names no user: {customer.user_id}")
    return Customer(row["id"], row["name"], row["email"])


def _number_of(db: sqlite3.Connection, order_id: str) -> int:
    row = db.execute("SELECT number FROM orders WHERE id = ?", (order_id,)).fetchone()
    if row is None:
        raise invalid_field("after", f"names no order: {order_id}")
    return int(row["number"])


def _insert(db: sqlite3.Connection, table: str, row: Mapping[str, object]) -> int:
    names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
    statement = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608
    done = db.execute(statement, dict(row))
    return int(done.lastrowid or 0)


def _as_json(
    db: sqlite3.Connection, rows: list[sqlite3.Row], step_seconds: Mapping[str, float]
) -> list[Order]:
    items = _items_of(db, [row["number"] for row in rows])
    now = now_ms()
    return [
        {
            "id": row["id"],
            "placed_at": iso(row["placed_ms"]),
            **progress(row["placed_ms"], now, step_seconds),
            "customer": {
                "user_id": row["user_id"],
                "name": row["customer_name"],
                "email": row["customer_email"],
            },
            "address": json.loads(row["address"]) if row["address"] else None,
            "items": items[row["number"]],
            **{name: row[name] for name in _MONEY},
            "payment": {
                "method": row["method"],
                "status": row["payment_status"],
                "reference": row["reference"],
                "amount_cents": row["amount_cents"],
            },
        }
        for row in rows
    ]


_MONEY = (
    *("country", "currency", "subtotal_cents", "gift_wrap_cents", "shipping_cents"),
    *("tax_rate", "tax_cents", "total_cents"),
)


def _items_of(db: sqlite3.Connection, numbers: Iterable[int]) -> dict[int, list[Order]]:
    wanted = list(numbers)
    found: dict[int, list[Order]] = {number: [] for number in wanted}
    rows = db.execute(
        "SELECT order_number, product_id, name, quantity, unit_price_cents,"  # noqa: S608
        " quantity * unit_price_cents AS total_cents FROM order_items"
        f" WHERE order_number IN ({', '.join('?' * len(wanted))}) ORDER BY rowid",
        wanted,
    )
    for row in rows:
        item = dict(row)
        found[item.pop("order_number")].append(item)
    return found
