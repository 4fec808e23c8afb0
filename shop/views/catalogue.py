"""Catalogue and product page."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from shop import goods, shelf
from shop.money import money
from shop.pages import page, with_shop
from shop.pictures import picture

LONGEST_SEARCH = 100
LOW_STOCK = 5
SHOP_URL = "/shop/"


@require_safe
@with_shop
def catalogue(request: HttpRequest) -> HttpResponse:
    """Show the products of a category or of a search."""
    category = request.GET.get("category", "")[:100]
    words = " ".join(request.GET.get("q", "").split())[:LONGEST_SEARCH]
    sort = request.GET.get("sort", "")
    sort = sort if sort in goods.SORTS else "featured"
    found = shelf.catalogue(category=category, words=words, sort=sort)
    context = {
        "cards": [card_html(product) for product in found.products],
        "chips": _chips(found.categories, category, words, sort),
        "sorts": [{"value": v, "label": t, "chosen": v == sort} for v, t in goods.SORTS.items()],
        "category": category,
        "query": words,
        "sort": sort,
        "stale_since": found.stale_since,
        "empty_handed": found.is_empty_handed,
    }
    return page(request, "catalogue.html", context)


@require_safe
@with_shop
def product(request: HttpRequest, product_id: str) -> HttpResponse:
    """Show one product."""
    found = shelf.find(product_id)
    if found.product is None:
        if found.stale_since is None:
            raise Http404
        return page(request, "product_away.html", {}, status=503)
    context = {
        "product": card(found.product),
        "description": found.product.description,
        "also": [card_html(one) for one in found.also],
        "stale_since": found.stale_since,
    }
    return page(request, "product.html", context)


@lru_cache(maxsize=500)
def card_html(one: goods.Product) -> SafeString:
    """Return a product's card, rendered once as long as the product stays as it is.

    Drawing 24 cards anew is two thirds of what the catalogue costs.
    """
    context = {"product": card(one), "add_url": reverse("shop:cart_add")}
    return mark_safe(render_to_string("shop/product_card.html", context))  # noqa: S308 - our own template


def card(one: goods.Product) -> dict[str, Any]:
    """Return what a template shows of a product; worked out here, since filters in loops cost twice as much."""
    return {
        "id": one.id,
        "name": one.name,
        "url": reverse("shop:product", args=[one.id]),
        "category": one.category.capitalize(),
        "category_url": f"{SHOP_URL}?{urlencode({'category': one.category})}",
        "picture": picture(one.id, one.category),
        "price": money(one.price_cents, one.currency),
        "rating": f"{one.rating:.1f}",
        "rating_width": f"{one.rating / 5 * 100:.0f}",
        "in_stock": one.stock > 0,
        "stock": _stock_words(one.stock),
        "stock_tone": "none" if one.stock < 1 else "low" if one.stock <= LOW_STOCK else "",
    }


def _stock_words(stock: int) -> str:
    if stock < 1:
        return "Sold out"
    return f"Only {stock} left" if stock <= LOW_STOCK else "In stock"


def _chips(categories: list[str], category: str, words: str, sort: str) -> list[dict[str, Any]]:
    kept = {"q": words} if words else {}
    kept |= {"sort": sort} if sort != "featured" else {}
    chips = [{"label": "All", "url": f"?{urlencode(kept)}", "current": not category}]
    for name in categories:
        url = f"?{urlencode({'category': name} | kept)}"
        chips.append({"label": name.capitalize(), "url": url, "current": name == category})
    return chips
