"""The catalogue as the storefront understands it: parsed once, checked, searched and sorted. No Django here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SORTS = {
    "featured": "Featured",
    "name": "Name",
    "price_asc": "Price, low to high",
    "price_desc": "Price, high to low",
    "rating": "Best rated",
}


class BadAnswer(ValueError):
    """The shop answered with something that is no catalogue: treated as an outage, never shown."""


@dataclass(frozen=True, kw_only=True)
class Product:
    """One product; `price_cents` in the shop's currency, `rating` from 0 to 5."""

    id: str
    name: str
    description: str
    category: str
    price_cents: int
    stock: int
    rating: float
    currency: str


def product(body: Mapping[str, Any], currency: str) -> Product:
    """Return a product; raises BadAnswer when a field is missing, of another type or impossible."""
    try:
        found = Product(
            id=_text(body["id"]),
            name=_text(body["name"]),
            description=_text(body["description"]),
            category=_text(body["category"]),
            price_cents=_whole(body["price_cents"]),
            stock=_whole(body["stock"]),
            rating=float(body["rating"]),
            currency=_text(currency),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadAnswer(f"no product: {error}") from error
    if not found.id or "/" in found.id:
        raise BadAnswer(f"{found.id!r} cannot be part of an address")
    if found.price_cents < 0 or not 0 <= found.rating <= 5:
        raise BadAnswer(f"{found.id}: an impossible price or rating")
    return found


def products(body: Mapping[str, Any]) -> list[Product]:
    """Return the products of a list answer; raises BadAnswer."""
    items = body.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise BadAnswer("no list of products")
    return [product(item, body.get("currency", "")) for item in items]


def chosen(
    all_products: Iterable[Product], *, category: str, words: str, sort: str
) -> list[Product]:
    """Search and sort as the shop itself does, for the time when it cannot."""
    wanted = words.lower().split()
    found = [
        one
        for one in all_products
        if category in ("", one.category)
        and all(word in f"{one.name}\n{one.description}".lower() for word in wanted)
    ]
    keys: dict[str, Any] = {
        "name": lambda one: one.name.lower(),
        "price_asc": lambda one: one.price_cents,
        "price_desc": lambda one: -one.price_cents,
        "rating": lambda one: -one.rating,
    }
    return sorted(found, key=keys[sort]) if sort in keys else found


def categories(all_products: Sequence[Product]) -> list[str]:
    """Return the categories in the order in which the shop shows them."""
    return list(dict.fromkeys(one.category for one in all_products))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value
