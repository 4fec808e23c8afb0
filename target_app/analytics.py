"""The figures of the shop, computed from the orders when they are asked for."""

from __future__ import annotations

import sqlite3
from decimal import ROUND_HALF_UP, Decimal

_HOUR_MS = 3_600_000
_TOP_PRODUCTS = 5


def summary(db: sqlite3.Connection, *, currency: str, now: int) -> dict[str, object]:
    """Return counts and amounts in cents: all orders, the last hour, products and categories."""
    total = _totals(db, since=0)
    return {
        "currency": currency,
        **total,
        "average_order_cents": _average(total["revenue_cents"], total["orders"]),
        "top_products": _best_sellers(db),
        "by_category": _by_category(db),
        "last_hour": _totals(db, since=now - _HOUR_MS),
    }


def _totals(db: sqlite3.Connection, *, since: int) -> dict[str, int]:
    row = db.execute(
        "SELECT COUNT(*) AS orders, COALESCE(SUM(total_cents), 0) AS revenue_cents"
        " FROM orders WHERE placed_ms >= ?",
        (since,),
    ).fetchone()
    return {"orders": row["orders"], "revenue_cents": row["revenue_cents"]}


def _average(cents: int, count: int) -> int:
    if count == 0:
        return 0
    return int((Decimal(cents) / count).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def _best_sellers(db: sqlite3.Connection) -> list[dict[str, object]]:
    rows = db.execute(
        "SELECT product_id, name, SUM(quantity) AS quantity,"
        " SUM(quantity * unit_price_cents) AS sales_cents FROM order_items"
        " GROUP BY product_id ORDER BY quantity DESC, product_id LIMIT ?",
        (_TOP_PRODUCTS,),
    )
    return [dict(row) for row in rows]


def _by_category(db: sqlite3.Connection) -> list[dict[str, object]]:
    rows = db.execute(
        "SELECT category, SUM(quantity) AS quantity,"
        " SUM(quantity * unit_price_cents) AS sales_cents FROM order_items"
        " GROUP BY category ORDER BY sales_cents DESC, category"
    )
    return [dict(row) for row in rows]
