"""What a cart costs: as the shop computes it, or, while it is away, as its last known rules would."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from shop import shelf, target
from shop.goods import Product

_PARTS = ("subtotal_cents", "gift_wrap_cents", "shipping_cents", "tax_cents", "total_cents")


@dataclass(frozen=True, kw_only=True)
class Quote:
    """A priced cart, all amounts in cents. An estimate is only ever charged if the shop agrees to the cent."""

    items: list[dict[str, Any]]
    country: str
    currency: str
    subtotal_cents: int
    gift_wrap_cents: int
    shipping_cents: int
    tax_rate: str
    tax_cents: int
    total_cents: int
    is_estimate: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return it as a row keeps it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Priced:
    """Either a quote, or the problem in words; neither when the shop is away and nothing is known of its prices."""

    quote: Quote | None = None
    problem: str = ""


def price(items: Mapping[str, int], *, country: str = "", gift_wrap: bool = False) -> Priced:
    """Return what the cart costs now."""
    body: dict[str, Any] = {"items": lines(items), "gift_wrap": gift_wrap}
    if country:
        body["country"] = country
    reply = target.price(body)
    if reply.is_good:
        quote = parsed(reply.body)
        if quote is not None:
            return Priced(quote=quote)
    elif not reply.is_away:
        return Priced(problem=refusal(reply.error))
    return Priced(quote=_estimated(items, country=country, gift_wrap=gift_wrap))


def lines(items: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return a cart as the shop's API takes it."""
    return [{"product_id": name, "quantity": number} for name, number in items.items()]


def parsed(body: Mapping[str, Any]) -> Quote | None:
    """Return the quote of an answer; None when parts are missing or do not add up: such a total is not shown."""
    amounts: dict[str, Any] = {name: body.get(name) for name in _PARTS}
    items = body.get("items")
    if not all(type(value) is int and value >= 0 for value in amounts.values()):
        return None
    if not isinstance(items, list) or not all(isinstance(line, dict) for line in items):
        return None
    quote = Quote(
        items=items,
        country=str(body.get("country", "")),
        currency=str(body.get("currency", "")),
        tax_rate=str(body.get("tax_rate", "0")),
        **amounts,
    )
    return quote if _adds_up(quote) else None


def refusal(error: Mapping[str, str]) -> str:
    """Return the shop's refusal of a cart in words for a shopper."""
    kind, detail = error.get("type", ""), error.get("detail", "")
    if kind == "OutOfStockError":
        return "Something in your cart is not in stock in that quantity any more."
    if error.get("field") == "items":
        return "Something in your cart is no longer sold."
    return (
        f"The shop did not accept this: {detail[:160]}."
        if detail
        else "The shop did not accept this."
    )


def _adds_up(quote: Quote) -> bool:
    parts = quote.subtotal_cents + quote.gift_wrap_cents + quote.shipping_cents + quote.tax_cents
    try:
        goods = sum(line["quantity"] * line["unit_price_cents"] for line in quote.items)
    except (KeyError, TypeError):
        return False
    return parts == quote.total_cents and goods == quote.subtotal_cents


def _estimated(items: Mapping[str, int], *, country: str, gift_wrap: bool) -> Quote | None:
    known = {product.id: product for product in shelf.everything()}
    rules = shelf.known_settings()
    if not rules or not items or any(name not in known for name in items):
        return None
    try:
        return estimate(items, known, rules, country=country, gift_wrap=gift_wrap)
    except (KeyError, TypeError, ValueError, InvalidOperation):
        return None  # settings of another shape than this shop's


def estimate(
    items: Mapping[str, int],
    known: Mapping[str, Product],
    rules: Mapping[str, Any],
    *,
    country: str,
    gift_wrap: bool,
) -> Quote:
    """Compute the total by the rules that the shop documents (target_app/pricing.py), from its last settings."""
    country = country or rules["default_country"]
    found = [
        {
            "product_id": name,
            "name": known[name].name,
            "quantity": number,
            "unit_price_cents": known[name].price_cents,
            "total_cents": known[name].price_cents * number,
        }
        for name, number in items.items()
    ]
    subtotal = sum(known[name].price_cents * number for name, number in items.items())
    rate = rules["shipping"].get(country, rules["shipping"]["default"])
    shipping = 0 if subtotal >= rate["free_over_cents"] else int(rate["flat_cents"])
    wrapping = int(rules["gift_wrap_cents"]) if gift_wrap else 0
    tax_rate = Decimal(str(rules["tax_rates"][country]))
    tax = int(((subtotal + wrapping) * tax_rate).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    return Quote(
        items=found,
        country=country,
        currency=rules["currency"],
        subtotal_cents=subtotal,
        gift_wrap_cents=wrapping,
        shipping_cents=shipping,
        tax_rate=str(tax_rate),
        tax_cents=tax,
        total_cents=subtotal + wrapping + shipping + tax,
        is_estimate=True,
    )
