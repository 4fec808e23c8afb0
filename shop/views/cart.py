"""The cart, changed in place."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from shop import cart, quotes, shelf
from shop.cart import BadQuantity
from shop.forms import COUNTRIES
from shop.money import money
from shop.pages import back_with, is_htmx, page, toast, with_shop
from shop.pictures import picture
from shop.quotes import Quote


@never_cache
@require_safe
@with_shop
def show(request: HttpRequest) -> HttpResponse:
    """Show the cart and what it costs."""
    return page(request, "cart.html", cart_context(request))


@require_POST
@with_shop
def add(request: HttpRequest) -> HttpResponse:
    """Put pieces of a product into the cart."""
    product_id = request.POST.get("product", "")[:100]
    try:
        number = cart.pieces(request.POST.get("quantity", "1"))
        name, there = _added(request, product_id, number)
    except BadQuantity as refused:
        return _refused(request, str(refused))
    said = f"{name} is in your cart" + (f" ({there} pieces)." if there > 1 else ".")
    if not is_htmx(request):
        return back_with(request, "shop:cart", said, tone="ok")
    link = {"count": cart.count(request.session), "oob": True}
    return toast(HttpResponse(render_to_string("components/cart_link.html", link)), said, "ok")


@require_POST
@with_shop
def change(request: HttpRequest) -> HttpResponse:
    """Set the pieces of one product; 0 takes it out."""
    product_id = request.POST.get("product", "")[:100]
    try:
        cart.put(
            request.session, product_id, cart.pieces(request.POST.get("quantity", ""), least=0)
        )
    except BadQuantity as refused:
        return _refused(request, str(refused))
    if not is_htmx(request):
        return back_with(request, "shop:cart", "Your cart has been changed.", tone="ok")
    return page(request, "cart_parts.html", cart_context(request) | {"oob": True})


def cart_context(request: HttpRequest) -> dict[str, Any]:
    """Return lines and totals of the cart; what cannot be bought any more is taken out and said."""
    notes, priced = priced_cart(request)
    now = cart.items(request.session)
    return {
        "lines": cart_lines(now, priced.quote),
        "quote": shown(priced.quote) if priced.quote else None,
        "problem": priced.problem,
        "notes": notes,
        "cart_count": cart.count(request.session),
    }


def priced_cart(
    request: HttpRequest, *, country: str = "", gift_wrap: bool = False
) -> tuple[list[str], quotes.Priced]:
    """Return what the cart costs, after it was brought in line with what is sold, and what was done in sentences.

    The shop itself says whether something cannot be bought: only then is the catalogue asked what that is.
    """
    if not cart.items(request.session):
        return [], quotes.Priced()
    priced = quotes.price(cart.items(request.session), country=country, gift_wrap=gift_wrap)
    notes = _settled(request) if priced.problem else []
    now = cart.items(request.session)
    if notes:
        again = quotes.price(now, country=country, gift_wrap=gift_wrap) if now else quotes.Priced()
        return notes, again
    return notes, priced


def _settled(request: HttpRequest) -> list[str]:
    """Bring the cart in line with what is sold; an outage takes nothing out of it."""
    found = shelf.catalogue()
    if found.stale_since is not None or found.is_empty_handed:
        return []
    return cart.settle(request.session, {one.id: one for one in found.products})


def cart_lines(now: dict[str, int], quote: Quote | None) -> list[dict[str, Any]]:
    """Return the lines as the quote priced them; without one by the last known names and prices."""
    known = {one.id: one for one in shelf.everything()}
    priced = {line.get("product_id"): line for line in quote.items} if quote else {}
    rows = []
    for product_id, number in now.items():
        product, line = known.get(product_id), priced.get(product_id)
        currency = quote.currency if quote else product.currency if product else "EUR"
        each = line["unit_price_cents"] if line else product.price_cents if product else 0
        rows.append(
            {
                "id": product_id,
                "name": line["name"] if line else product.name if product else product_id,
                "picture": picture(product_id, product.category if product else ""),
                "quantity": number,
                "less": number - 1,
                "more": min(number + 1, cart.MOST_PIECES),
                "each": money(each, currency),
                "total": money(each * number, currency),
            }
        )
    return rows


def shown(quote: Quote) -> dict[str, Any]:
    """Return a quote in words."""
    rate = float(quote.tax_rate) * 100
    free = quote.shipping_cents == 0
    return {
        "subtotal": money(quote.subtotal_cents, quote.currency),
        "gift_wrap": money(quote.gift_wrap_cents, quote.currency) if quote.gift_wrap_cents else "",
        "shipping": "Free" if free else money(quote.shipping_cents, quote.currency),
        "tax": money(quote.tax_cents, quote.currency),
        "tax_label": f"Tax ({rate:g} %)",
        "total": money(quote.total_cents, quote.currency),
        "total_cents": quote.total_cents,
        "country": COUNTRIES.get(quote.country, quote.country),
        "is_estimate": quote.is_estimate,
    }


def _added(request: HttpRequest, product_id: str, number: int) -> tuple[str, int]:
    """Add a product that is sold; raises BadQuantity with the reason why not."""
    found = shelf.find(product_id) if product_id else shelf.Found(product=None, also=[])
    if found.product is None:
        raise BadQuantity("This product is not sold here.")
    there = cart.items(request.session).get(product_id, 0) + number
    if found.product.stock < 1:
        raise BadQuantity(f"{found.product.name} is sold out.")
    if found.product.stock < there:
        raise BadQuantity(f"{found.product.name}: only {found.product.stock} in stock.")
    return found.product.name, cart.add(request.session, product_id, number)


def _refused(request: HttpRequest, text: str) -> HttpResponse:
    if not is_htmx(request):
        return back_with(request, "shop:cart", text, tone="error")
    response = HttpResponse(status=422)
    response["HX-Reswap"] = "none"
    return toast(response, text, "error")
