"""A shopper: what one does on the storefront's pages, by its forms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any

from django.test import Client

from shop.models import Checkout
from tests.target_app.shop import Shop

Page = Any  # what the test client returns: an HttpResponse with more on it
MUG = "stoneware-mug"
HTMX = {"HX-Request": "true"}
PERSON = {
    "name": "Nora Lindqvist",
    "email": "nora@example.com",
    "line1": "Hafenstr. 1",
    "postcode": "20457",
    "city": "Hamburg",
    "country": "DE",
    "card": "tok_ok",
}


def text_of(response: Page) -> str:
    """Return a page as a person reads it, tags taken out."""
    page = re.sub(r"<(script|style|template)\b.*?</\1>", " ", response.content.decode(), flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def field(response: Page, name: str) -> str:
    """Return the value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', response.content.decode())
    assert found, f"the page has no field {name}"
    return unescape(found[1])


@dataclass
class Store:
    """One browser and the shop's API behind the storefront."""

    client: Client
    shop: Shop

    def see(self, path: str = "/shop/") -> Page:
        """Open a page."""
        return self.client.get(path, follow=True)

    def add(self, product: str = MUG, quantity: object = 1, **options: Any) -> Page:
        """Press "Add to cart"."""
        data = {"product": product, "quantity": quantity}
        return self.client.post("/shop/cart/add/", data, headers=HTMX, **options)

    def change(self, quantity: object, product: str = MUG) -> Page:
        """Set a quantity in the cart."""
        data = {"product": product, "quantity": quantity}
        return self.client.post("/shop/cart/change/", data, headers=HTMX)

    def at_checkout(self) -> dict[str, str]:
        """Open the checkout and return its filled form."""
        page = self.see("/shop/checkout/")
        return PERSON | {name: field(page, name) for name in ("key", "cart", "total")}

    def pay(self, form: Mapping[str, str] | None = None, **changes: str) -> Page:
        """Press "Pay" on a form (by default that of the checkout as it is now)."""
        form = self.at_checkout() if form is None else form
        return self.client.post("/shop/checkout/", {**form, **changes}, follow=True)

    def buy(self, product: str = MUG, quantity: int = 1, **changes: str) -> Checkout:
        """Buy one product and return the row."""
        self.add(product, quantity)
        self.pay(None, **changes)
        return Checkout.objects.latest("id")

    def sold(self) -> list[dict[str, Any]]:
        """Return the orders that the shop itself knows, oldest first."""
        return list(reversed(self.shop.get("/api/orders?limit=100").json["items"]))

    def cart(self) -> dict[str, int]:
        """Return what is in the cart."""
        return dict(self.client.session.get("cart", {}))
