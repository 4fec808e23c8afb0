"""Checkout: address, payment, the total once more, and the press on "Pay"."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from shop import cart, placement, quotes, shelf
from shop.forms import CheckoutForm
from shop.models import Checkout
from shop.pages import back_with, page, with_shop
from shop.quotes import Quote
from shop.views.cart import cart_lines, priced_cart, shown

KEPT = ("name", "email", "line1", "postcode", "city", "country")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@with_shop
def checkout(request: HttpRequest) -> HttpResponse:
    """Show the checkout, or buy."""
    if request.method == "POST":
        return _buy(request)
    rules = shelf.settings()
    form = CheckoutForm(rules=rules, initial=_known(request, rules))
    notes, priced = priced_cart(request, country=form.initial.get("country") or "")
    if not cart.items(request.session):
        text = notes[0] if notes else "Your cart is empty."
        return back_with(request, "shop:cart", text, tone="warning")
    return _page(request, form, priced, notes)


@require_POST
@with_shop
def totals(request: HttpRequest) -> HttpResponse:
    """Show the totals for the country and wrapping that are chosen now."""
    form = CheckoutForm(request.POST, rules=shelf.known_settings())
    priced = quotes.price(cart.items(request.session), **_chosen(form))
    return page(request, "checkout_totals.html", _totals(request, priced))


def _buy(request: HttpRequest) -> HttpResponse:
    """Buy what was shown, or say why not. The same key never makes a second purchase."""
    key, shopper = request.POST.get("key", "")[:64], cart.known_shopper(request.session)
    key = key.replace("\0", "")  # PostgreSQL refuses to look for it
    done = Checkout.objects.filter(key=key, shopper=shopper).first() if shopper else None
    if done is not None:
        return redirect("shop:order", code=done.code)
    if not cart.items(request.session):
        return back_with(request, "shop:cart", "Your cart is empty.", tone="warning")
    if key != cart.checkout_key(request.session):
        text = "This page was out of date. Please check your order once more."
        return back_with(request, "shop:checkout", text, tone="warning")
    form = CheckoutForm(request.POST, rules=shelf.settings())
    notes, priced = priced_cart(request, **_chosen(form))
    if not cart.items(request.session):
        return back_with(request, "shop:cart", notes[0], tone="warning")
    problem = _why_not_yet(request, priced)
    if not form.is_valid() or problem or priced.problem:
        return _page(request, form, priced, [*notes, *([problem] if problem else [])], status=422)
    return _ordered(request, form, priced.quote)


def _why_not_yet(request: HttpRequest, priced: quotes.Priced) -> str:
    """Return what the shopper must see before paying: a cart or a total that is not the one on their page."""
    if request.POST.get("cart", "") != cart.digest(request.session):
        return "Your cart has changed since this page was opened. Please check it and pay again."
    total = str(priced.quote.total_cents) if priced.quote else ""
    if request.POST.get("total", "") != total:
        return "The total has changed since this page was opened. Please check it and pay again."
    return ""


def _ordered(request: HttpRequest, form: CheckoutForm, quote: Quote | None) -> HttpResponse:
    """Write the row, try once, and show the order; from here on nothing is lost, whatever is killed."""
    row = _row(request, form, quote)
    request.session["known"] = {name: form.cleaned_data[name] for name in KEPT}
    placement.attempt(row)
    row.refresh_from_db()
    if row.state in {Checkout.State.DECLINED, Checkout.State.REFUSED}:
        cart.new_checkout_key(request.session)
    else:
        cart.clear(request.session)
    return redirect("shop:order", code=row.code)


def _row(request: HttpRequest, form: CheckoutForm, quote: Quote | None) -> Checkout:
    """Return the row of this key: a double click finds the one that the first click made."""
    key, shopper = cart.checkout_key(request.session), cart.shopper(request.session)
    customer = request.session.get("customer") or {}
    try:
        with transaction.atomic():
            return Checkout.objects.create(
                key=key,
                shopper=shopper,
                request=form.purchase(
                    quotes.lines(cart.items(request.session)), customer.get("id", "")
                ),
                quote=quote.as_json() if quote else _unpriced(request),
                expected_cents=quote.total_cents if quote else None,
            )
    except IntegrityError:
        return Checkout.objects.get(key=key, shopper=shopper)


def _unpriced(request: HttpRequest) -> dict[str, Any]:
    return {"items": quotes.lines(cart.items(request.session))}


def _chosen(form: CheckoutForm) -> dict[str, Any]:
    """Return what a price depends on, as far as it is valid in the form."""
    form.is_valid()
    return {
        "country": form.cleaned_data.get("country", ""),
        "gift_wrap": form.cleaned_data.get("gift_wrap", False),
    }


def _page(
    request: HttpRequest,
    form: CheckoutForm,
    priced: quotes.Priced,
    notes: list[str],
    status: int = 200,
) -> HttpResponse:
    cart.shopper(request.session)
    context = {"form": form, "notes": notes, "customer": request.session.get("customer")}
    context |= _totals(request, priced)
    return page(request, "checkout.html", context, status=status)


def _totals(request: HttpRequest, priced: quotes.Priced) -> dict[str, Any]:
    return {
        "quote": shown(priced.quote) if priced.quote else None,
        "problem": priced.problem,
        "lines": cart_lines(cart.items(request.session), priced.quote),
        "checkout_key": cart.checkout_key(request.session),
        "cart_digest": cart.digest(request.session),
    }


def _known(request: HttpRequest, rules: dict[str, Any]) -> dict[str, str]:
    """Return what this shopper typed before."""
    known: dict[str, str] = {"country": str(rules.get("default_country", ""))}
    known |= request.session.get("known", {})
    customer = request.session.get("customer") or {}
    return known | {name: customer[name] for name in ("name", "email") if name in customer}
