"""The cart, kept in the session: product id -> pieces. Nothing in it is trusted to be buyable."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping

from django.contrib.sessions.backends.base import SessionBase

from shop.goods import Product

MOST_PIECES = 99
MOST_LINES = 50
_CART, _SHOPPER, _KEY = "cart", "shopper", "checkout_key"


class BadQuantity(ValueError):
    """A number of pieces that cannot be bought; the message is for the shopper."""


def pieces(text: str, *, least: int = 1) -> int:
    """Return a number of pieces typed by a person; raises BadQuantity."""
    cleaned = text.strip()
    if not (cleaned.isascii() and cleaned.isdigit() and len(cleaned) <= 3):
        raise BadQuantity(f"The quantity must be a whole number from 1 to {MOST_PIECES}.")
    number = int(cleaned)
    if not least <= number <= MOST_PIECES:
        raise BadQuantity(f"The quantity must be from 1 to {MOST_PIECES}.")
    return number


def items(session: SessionBase) -> dict[str, int]:
    """Return what is in the cart, in the order in which it came."""
    return dict(session.get(_CART, {}))


def count(session: SessionBase) -> int:
    """Return the number of pieces."""
    return sum(session.get(_CART, {}).values())


def add(session: SessionBase, product_id: str, number: int) -> int:
    """Add pieces and return how many of the product there are now; raises BadQuantity, changing nothing."""
    now = items(session)
    wanted = now.get(product_id, 0) + number
    if wanted > MOST_PIECES:
        raise BadQuantity(f"At most {MOST_PIECES} of one product can be ordered at once.")
    if product_id not in now and len(now) >= MOST_LINES:
        raise BadQuantity(f"A cart holds at most {MOST_LINES} different products.")
    _store(session, now | {product_id: wanted})
    return wanted


def put(session: SessionBase, product_id: str, number: int) -> None:
    """Set the pieces of a product that is in the cart; 0 takes it out."""
    now = items(session)
    if product_id not in now:
        return
    if number:
        now[product_id] = number
    else:
        del now[product_id]
    _store(session, now)


def refill(session: SessionBase, lines: Iterable[Mapping[str, object]]) -> None:
    """Put the lines of an order that was not placed back into an empty cart."""
    if not items(session):
        _store(session, {str(line["product_id"]): int(str(line["quantity"])) for line in lines})


def clear(session: SessionBase) -> None:
    """Empty the cart and forget the key of its checkout: the next one is another purchase."""
    session.pop(_CART, None)
    session.pop(_KEY, None)


def settle(session: SessionBase, shelf: Mapping[str, Product]) -> list[str]:
    """Take out what is no longer sold, lower what is short, and return what was done in sentences."""
    now, said = items(session), []
    for product_id, number in list(now.items()):
        product = shelf.get(product_id)
        if product is None:
            del now[product_id]
            said.append("One product in your cart is no longer sold and was taken out.")
        elif product.stock < 1:
            del now[product_id]
            said.append(f"{product.name} is sold out and was taken out of your cart.")
        elif product.stock < number:
            now[product_id] = product.stock
            said.append(f"{product.name}: only {product.stock} left, so we lowered the quantity.")
    if said:
        _store(session, now)
    return said


def digest(session: SessionBase) -> str:
    """Return what tells this cart from another: a page that shows an older one is not to be paid."""
    text = json.dumps(sorted(items(session).items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def shopper(session: SessionBase) -> str:
    """Return who owns the orders of this session; made on first use."""
    if _SHOPPER not in session:
        session[_SHOPPER] = secrets.token_hex(16)
    return str(session[_SHOPPER])


def known_shopper(session: SessionBase) -> str:
    """Return the shopper, or "" when this session never had one."""
    return str(session.get(_SHOPPER, ""))


def checkout_key(session: SessionBase) -> str:
    """Return the idempotency key of the checkout at hand; the same in every tab until the cart is bought."""
    if _KEY not in session:
        session[_KEY] = f"shop-{secrets.token_hex(16)}"
    return str(session[_KEY])


def new_checkout_key(session: SessionBase) -> None:
    """Forget the key: after a declined card the same cart is another purchase."""
    session.pop(_KEY, None)


def _store(session: SessionBase, cart: dict[str, int]) -> None:
    session[_CART] = cart
