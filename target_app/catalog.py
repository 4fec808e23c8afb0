"""The products: reading them, and taking pieces out of stock."""

from __future__ import annotations

import sqlite3

from errors import OutOfStockError, PriceChangedError, invalid_field
from pricing import Line

SORTS = {
    "featured": "position",
    "name": "name COLLATE NOCASE, position",
    "price_asc": "price_cents, position",
    "price_desc": "price_cents DESC, position",
    "rating": "rating DESC, position",
}
_COLUMNS = "id, name, description, category, price_cents, stock, rating"

Product = dict[str, object]


def search_products(
    db: sqlite3.Connection, *, category: str, words: str, sort: str
) -> list[Product]:
    """Return the products of a category (all when empty) whose text holds every word."""
    conditions, values = ["(? = '' OR category = ?)"], [category, category]
    for word in words.split():
        conditions.append("(name LIKE ? ESCAPE '\\' OR description LIKE ? ESCAPE '\\')")
        values += [_containing(word)] * 2
    # Only constants are put into the text of a statement; what a client sent is bound.
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM products"  # noqa: S608
        f" WHERE {' AND '.join(conditions)} ORDER BY {SORTS[sort]}",
        values,
    )
    return [_as_product(row) for row in rows]


def find_product(db: sqlite3.Connection, product_id: str) -> Product | None:
    row = db.execute(
        f"SELECT {_COLUMNS} FROM products WHERE id = ?",  # noqa: S608
        (product_id,),
    ).fetchone()
    return _as_product(row) if row else None


def similar_products(db: sqlite3.Connection, product_id: str, *, most: int) -> list[Product]:
    """Return the best rated other products of the same category."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM products"  # noqa: S608
        " WHERE category = (SELECT category FROM products WHERE id = ?) AND id <> ?"
        " ORDER BY rating DESC, position LIMIT ?",
        (product_id, product_id, most),
    )
    return [_as_product(row) for row in rows]


def count_categories(db: sqlite3.Connection) -> list[dict[str, object]]:
    rows = db.execute(
        "SELECT category, COUNT(*) AS products FROM products"
        " GROUP BY category ORDER BY MIN(position)"
    )
    return [{"id": row["category"], "products": row["products"]} for row in rows]


def cart_lines(db: sqlite3.Connection, items: dict[str, int]) -> list[Line]:
    """Return the priced lines of a cart; refuse a product that is unknown or not in stock."""
    lines = []
    for product_id, quantity in items.items():
        row = db.execute(
            "SELECT name, category, price_cents, stock FROM products WHERE id = ?", (product_id,)
        ).fetchone()
        if row is None:
            raise invalid_field("items", f"name no product of ours: {product_id}")
        if row["stock"] < quantity:
            raise _out_of_stock(product_id, row["stock"], quantity)
        lines.append(Line(product_id, row["name"], row["category"], row["price_cents"], quantity))
    return lines


def take_from_stock(db: sqlite3.Connection, lines: list[Line]) -> None:
    """Take all lines out of stock inside the caller's transaction, or raise and change nothing.

    The condition and the change are one statement, so two shoppers never get the same last piece.
    """
    for line in lines:
        taken = db.execute(
            "UPDATE products SET stock = stock - ? WHERE id = ? AND stock >= ? AND price_cents = ?",
            (line.quantity, line.product_id, line.quantity, line.unit_price_cents),
        )
        if taken.rowcount != 1:
            raise _why_not_taken(db, line)


def _why_not_taken(db: sqlite3.Connection, line: Line) -> Exception:
    row = db.execute(
        "SELECT price_cents, stock FROM products WHERE id = ?", (line.product_id,)
    ).fetchone()
    if row is not None and row["price_cents"] != line.unit_price_cents:
        return PriceChangedError(f"the price of {line.product_id} has just changed")
    return _out_of_stock(line.product_id, row["stock"] if row else 0, line.quantity)


def _out_of_stock(product_id: str, left: int, wanted: int) -> OutOfStockError:
    return OutOfStockError(f"{product_id}: {wanted} wanted, {left} left in stock", field="items")


def _containing(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _as_product(row: sqlite3.Row) -> Product:
    return {**dict(row), "in_stock": row["stock"] > 0}
