"""The shelf: the catalogue from the shop, or from its last good answer, which then says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from django.utils import timezone

from shop import goods, target
from shop.goods import BadAnswer, Product
from shop.models import LastGood

PRODUCTS = "/api/products"
SETTINGS = "/api/config"
FRESH_SECONDS = 10.0  # for so long what this process remembers is as good as the stored answer
STORED_SECONDS = (
    30.0  # the task that refills the shelf stores every 20 s: a page stores only when it does not
)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """What this process read last, so that few reads cost a query and hardly any a write."""

    read: float
    body: Any
    at: datetime


_kept: dict[str, _Kept] = {}


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Products to show. `stale_since` is the moment of the last good answer while the shop is away."""

    products: list[Product]
    categories: list[str]
    stale_since: datetime | None = None
    is_empty_handed: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    """One product (None: there is no such product) with what goes with it."""

    product: Product | None
    also: list[Product]
    stale_since: datetime | None = None


def catalogue(*, category: str = "", words: str = "", sort: str = "featured") -> Shelf:
    """Return the products asked for, by one request to the shop."""
    is_whole = not category and not words and sort == "featured"
    asked = {"category": category, "q": words, "sort": sort}
    path = PRODUCTS if is_whole else f"{PRODUCTS}?{urlencode(asked)}"
    reply = target.read(path)
    found = _parsed(reply, goods.products)
    if found is None:
        return _from_last_good(category=category, words=words, sort=sort)
    if is_whole:
        _keep(PRODUCTS, reply.body)
        return Shelf(products=found, categories=goods.categories(found))
    return Shelf(products=found, categories=goods.categories(everything() or found))


def everything() -> list[Product]:
    """Return all products of the last good answer, without asking the shop."""
    last = _last_good(PRODUCTS)
    return goods.products(last[0]) if last else []


def find(product_id: str) -> Found:
    """Return one product, by one request to the shop."""
    reply = target.read(f"{PRODUCTS}/{quote(product_id, safe='')}")
    if reply.status == 404 and reply.error.get("type") == "NotFoundError":
        return Found(product=None, also=[])
    found = _parsed(reply, lambda body: goods.product(body, body.get("currency", "")))
    if found is None or found.id != product_id:
        return _find_in_last_good(product_id)
    return Found(product=found, also=_recommended(reply.body))


def settings() -> dict[str, Any]:
    """Return the shop's public settings (tax rates, shipping, features); the last good ones when it is away.

    They only say what a form offers. What is charged is what the shop itself computes, each time.
    """
    known = _remembered(SETTINGS)
    if known is not None:
        return dict(known.body)
    reply = target.read(SETTINGS)
    found = _set(reply)
    if found is None:
        return known_settings()
    _keep(SETTINGS, found)
    return dict(found)


def known_settings() -> dict[str, Any]:
    """Return the last good settings, without asking the shop; {} when there never were any."""
    last = _last_good(SETTINGS)
    return dict(last[0]) if last else {}


def refill() -> None:
    """Read catalogue and settings once, so that there is a last good answer before it is needed."""
    for name, kept in ((PRODUCTS, _listed), (SETTINGS, _set)):
        reply = target.read(name, recorded=False)
        body = kept(reply)
        if body is not None:
            _keep(name, body)
            LastGood.keep(name, body, timezone.now())


def _listed(reply: target.Reply) -> Any:
    return reply.body if _parsed(reply, goods.products) is not None else None


def _set(reply: target.Reply) -> Any:
    found = reply.body.get("settings") if reply.is_good else None
    return found if isinstance(found, dict) else None


def _parsed(reply: target.Reply, parse: Callable[[Any], T]) -> T | None:
    if not reply.is_good:
        return None
    try:
        return parse(reply.body)
    except BadAnswer:
        return None


def _from_last_good(*, category: str, words: str, sort: str) -> Shelf:
    last = _last_good(PRODUCTS)
    if last is None:
        return Shelf(products=[], categories=[], is_empty_handed=True)
    whole = goods.products(last[0])
    return Shelf(
        products=goods.chosen(whole, category=category, words=words, sort=sort),
        categories=goods.categories(whole),
        stale_since=last[1],
    )


def _find_in_last_good(product_id: str) -> Found:
    last = _last_good(PRODUCTS)
    whole = goods.products(last[0]) if last else []
    found = next((one for one in whole if one.id == product_id), None)
    also = [one for one in whole if found and one.category == found.category and one != found]
    return Found(product=found, also=also[:4], stale_since=last[1] if last else timezone.now())


def _recommended(body: dict[str, Any]) -> list[Product]:
    """Return what the shop recommends; a list that cannot be read costs only itself."""
    listed = body.get("recommendations")
    try:
        return goods.products({"items": listed, "currency": body.get("currency", "")})
    except BadAnswer:
        return []


def _keep(name: str, body: Any) -> None:
    """Remember a good answer; store it when there is none, or when nobody has stored one for a while."""
    known = _remembered(name)
    if known is not None and known.body == body:
        return
    now = timezone.now()
    _kept[name] = _Kept(read=time.monotonic(), body=body, at=now)
    stored = LastGood.objects.filter(name=name).values_list("fetched_at", flat=True).first()
    if stored is None or (now - stored).total_seconds() > STORED_SECONDS:
        LastGood.keep(name, body, now)


def _remembered(name: str) -> _Kept | None:
    known = _kept.get(name)
    return known if known and time.monotonic() - known.read < FRESH_SECONDS else None


def _last_good(name: str) -> tuple[Any, datetime] | None:
    """Return the last good answer and its moment: what this process remembers, or the stored one if that is newer."""
    known = _remembered(name)
    if known is not None:
        return known.body, known.at
    row, older = LastGood.objects.filter(name=name).first(), _kept.get(name)
    if row is not None and (older is None or row.fetched_at >= older.at):
        return row.body, row.fetched_at
    return (older.body, older.at) if older else None
