"""What a cart costs. Pure arithmetic in whole cents; no database, no clock.

The rules, in order:
1. subtotal = sum of unit price times quantity.
2. gift wrap is one fixed fee for the order.
3. shipping is flat for the country, and free from `free_over_cents` of subtotal upwards.
4. tax = rate of the country on subtotal plus gift wrap (shipping is not taxed), rounded once
   for the whole order, half a cent upwards.
5. total = subtotal + gift wrap + shipping + tax.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from config import Config, ShippingRate


@dataclass(frozen=True)
class Line:
    """One product of a cart at the price of now."""

    product_id: str
    name: str
    category: str
    unit_price_cents: int
    quantity: int

    @property
    def total_cents(self) -> int:
        return self.unit_price_cents * self.quantity

    def as_json(self) -> dict[str, object]:
        return {
            "product_id": self.product_id,
            "name": self.name,
            "quantity": self.quantity,
            "unit_price_cents": self.unit_price_cents,
            "total_cents": self.total_cents,
        }


@dataclass(frozen=True)
class Quote:
    """A priced cart; all amounts in cents of `currency`."""

    lines: Sequence[Line]
    country: str
    currency: str
    subtotal_cents: int
    gift_wrap_cents: int
    shipping_cents: int
    tax_rate: Decimal
    tax_cents: int
    total_cents: int

    def as_json(self) -> dict[str, object]:
        return {
            "items": [line.as_json() for line in self.lines],
            "country": self.country,
            "currency": self.currency,
            "subtotal_cents": self.subtotal_cents,
            "gift_wrap_cents": self.gift_wrap_cents,
            "shipping_cents": self.shipping_cents,
            "tax_rate": str(self.tax_rate),
            "tax_cents": self.tax_cents,
            "total_cents": self.total_cents,
        }


def quote(lines: Sequence[Line], *, country: str, gift_wrap: bool, config: Config) -> Quote:
    """Price a cart for a country that `config.tax_rates` knows."""
    subtotal = subtotal_of(lines)
    wrapping = config.gift_wrap_cents if gift_wrap else 0
    shipping = shipping_for(subtotal, shipping_rate(config, country))
    tax_rate = config.tax_rates[country]
    tax = tax_on(subtotal + wrapping, tax_rate)
    return Quote(
        lines=lines,
        country=country,
        currency=config.currency,
        subtotal_cents=subtotal,
        gift_wrap_cents=wrapping,
        shipping_cents=shipping,
        tax_rate=tax_rate,
        tax_cents=tax,
        total_cents=subtotal + wrapping + shipping + tax,
    )


def subtotal_of(lines: Sequence[Line]) -> int:
    return sum(line.total_cents for line in lines)


def shipping_rate(config: Config, country: str) -> ShippingRate:
    rates: Mapping[str, ShippingRate] = config.shipping
    return rates.get(country, config.default_shipping)


def shipping_for(subtotal_cents: int, rate: ShippingRate) -> int:
    return 0 if subtotal_cents >= rate.free_over_cents else rate.flat_cents


def tax_on(taxable_cents: int, rate: Decimal) -> int:
    return int((taxable_cents * rate).quantize(Decimal(1), rounding=ROUND_HALF_UP))
