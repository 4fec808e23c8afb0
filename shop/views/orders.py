"""My orders, and one order on its way."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from monitoring import watching
from shop import cart, placement, queries, tracking
from shop.models import Checkout
from shop.pages import back_with, page


@never_cache
@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    """Show the orders of this session."""
    watching.note(tracking.WATCHED)
    shown = queries.orders(cart.known_shopper(request.session))
    return page(request, "orders.html", {"orders": shown})


@never_cache
@require_safe
def orders_list(request: HttpRequest) -> HttpResponse:
    """Show only the list, for the page that keeps itself fresh."""
    watching.note(tracking.WATCHED)
    shown = queries.orders(cart.known_shopper(request.session))
    return page(request, "orders_list.html", {"orders": shown})


@never_cache
@require_safe
def order(request: HttpRequest, code: str) -> HttpResponse:
    """Show one order: confirmation, waiting, question or refusal."""
    return page(request, "order.html", _context(request, code))


@never_cache
@require_safe
def order_state(request: HttpRequest, code: str) -> HttpResponse:
    """Show only the part that changes."""
    return page(request, "order_state.html", _context(request, code))


@require_POST
def agree(request: HttpRequest, code: str) -> HttpResponse:
    """Go on with the new total."""
    row = _own(request, code)
    typed = request.POST.get("total", "")
    total = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 16 else -1
    if row.agree(total, timezone.now()):
        row.refresh_from_db()
        placement.attempt(row)
    return redirect("shop:order", code=code)


@require_POST
def cancel(request: HttpRequest, code: str) -> HttpResponse:
    """Withdraw an order that waits for the shopper's answer."""
    row = _own(request, code)
    if row.cancel(timezone.now()):
        cart.refill(request.session, row.request["items"])
    return redirect("shop:order", code=code)


@require_POST
def again(request: HttpRequest, code: str) -> HttpResponse:
    """Put the goods of an order that was not placed back into the cart."""
    row = _own(request, code)
    if row.is_open or row.state == Checkout.State.PLACED:
        return back_with(
            request, "shop:orders", "This order is placed or on its way.", tone="warning"
        )
    cart.refill(request.session, row.request["items"])
    return redirect("shop:checkout")


def _context(request: HttpRequest, code: str) -> dict[str, object]:
    watching.note(tracking.WATCHED)
    return {"order": queries.order(_own(request, code))}


def _own(request: HttpRequest, code: str) -> Checkout:
    """Return an order of this session; anybody else's does not exist."""
    shopper = cart.known_shopper(request.session)
    if "\0" in code:  # PostgreSQL refuses to look for it
        raise Http404
    return get_object_or_404(Checkout.objects.exclude(shopper=""), code=code, shopper=shopper)
