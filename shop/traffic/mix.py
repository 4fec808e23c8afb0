"""What simulated shoppers do: browse, search and buy, in given shares. Pure; the same seed gives the same shoppers."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence

from monitoring.values import HttpRequest

WORDS = ("linen", "walnut", "lamp", "steel", "wool", "oak", "brass", "canvas")
KINDS = ("browse", "search", "buy")
USUAL = (70, 20, 10)
_JSON = {"content-type": "application/json", "accept": "application/json"}


class BadMix(ValueError):
    """The shares are no mix; the message says what one looks like."""


def parse(text: str) -> tuple[int, int, int]:
    """Return the shares of browsing, searching and buying from "70,20,10"; raises BadMix."""
    parts = text.replace(":", ",").split(",")
    if len(parts) != len(KINDS) or not all(_is_share(part) for part in parts):
        raise BadMix('A mix is three whole numbers for browse, search and buy, like "70,20,10".')
    browse, search, buy = (int(part) for part in parts)
    if browse + search + buy == 0:
        raise BadMix("At least one share of the mix must be more than 0.")
    return browse, search, buy


def requests(
    mix: Sequence[int], product_ids: Sequence[str], *, seed: str
) -> Iterator[tuple[str, HttpRequest]]:
    """Yield (kind, request) for ever."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    number = 0
    while True:
        number += 1
        kind = chance.choices(KINDS, weights=mix)[0]
        if kind == "browse":
            yield kind, _browse(chance, product_ids)
        elif kind == "search":
            word = chance.choice(WORDS)
            yield kind, HttpRequest(path=f"/api/products?q={word}&sort=price_asc")
        else:
            yield kind, _buy(chance, product_ids, f"traffic-{seed}-{number}")


def _is_share(part: str) -> bool:
    cleaned = part.strip()
    return cleaned.isascii() and cleaned.isdigit() and len(cleaned) < 4


def _browse(chance: random.Random, product_ids: Sequence[str]) -> HttpRequest:
    if not product_ids or chance.random() < 0.5:
        return HttpRequest(path="/api/products")
    return HttpRequest(path=f"/api/products/{chance.choice(product_ids)}")


def _buy(chance: random.Random, product_ids: Sequence[str], key: str) -> HttpRequest:
    wanted = chance.choice(product_ids) if product_ids else "stoneware-mug"
    body = {
        "items": [{"product_id": wanted, "quantity": 1}],
        "customer": {"name": "Simulated Shopper", "email": "simulated@example.com"},
        "address": {
            "line1": "Test Street 1",
            "city": "Berlin",
            "postcode": "10115",
            "country": "DE",
        },
        "payment": {"method": "test_card", "token": "tok_ok"},
    }
    return HttpRequest(
        method="POST",
        path="/api/checkout",
        headers={**_JSON, "idempotency-key": key},
        body=json.dumps(body).encode(),
    )
