"""Amounts in words."""

from __future__ import annotations

_SIGNS = {"EUR": "\u20ac", "GBP": "\u00a3", "USD": "$"}


def money(cents: int, currency: str) -> str:
    """Return an amount as a shopper reads it: `€1,234.50`, `CHF 12.00`."""
    amount = f"{abs(cents) / 100:,.2f}"
    sign = _SIGNS.get(currency)
    text = f"{sign}{amount}" if sign else f"{currency} {amount}"
    return f"-{text}" if cents < 0 else text
