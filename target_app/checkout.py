"""The purchase, in the order that makes it safe to repeat.

1. Under a known idempotency key the answer is the one already given.
2. The cart is priced and the stock looked at, outside any transaction.
3. The payment is asked for, outside any transaction: a slow gateway holds up nobody else.
4. Stock, order, payment and the answer are committed together. A process killed before this has
   sold nothing, one killed after it has an answer to repeat.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from http import HTTPStatus

import catalog
import idempotency
import orders
import payments
import pricing
from app import App
from config import Config
from errors import PaymentDeclinedError, PriceChangedError, as_response
from fields import Fields
from messages import Request, Response
from pricing import Quote
from validation import Cart, Draft, idempotency_key, json_body

ReadDraft = Callable[[Fields, Config], Draft]


def purchase(app: App, request: Request, read_draft: ReadDraft) -> Response:
    """Place the order that a request asks for, once per idempotency key, and return its answer."""
    body = json_body(request)
    key = idempotency_key(request, body)
    digest = idempotency.fingerprint(request)
    with app.store.reading() as db:
        answered = idempotency.recall(db, key, digest)
    if answered:
        return answered
    config = app.config()
    draft = read_draft(body, config)
    quote = _checked_quote(app, draft, config)
    try:
        payment = _pay(draft, quote, key, config)
    except PaymentDeclinedError as declined:
        refusal = as_response(declined)
        with app.writing() as db:
            return _answer_once(db, key, digest, lambda: refusal)
    with app.writing() as db:
        response = _answer_once(db, key, digest, lambda: _placed(db, draft, quote, payment, config))
    app.products.clear()
    return response


def price(db: sqlite3.Connection, cart: Cart, config: Config) -> Quote:
    """Price a cart at the prices of now; refuse what is unknown or out of stock."""
    lines = catalog.cart_lines(db, cart.items)
    return pricing.quote(lines, country=cart.country, gift_wrap=cart.gift_wrap, config=config)


def _checked_quote(app: App, draft: Draft, config: Config) -> Quote:
    with app.store.reading() as db:
        orders.check_customer(db, draft.customer)
        quote = price(db, draft.cart, config)
    if draft.expected_total_cents not in (None, quote.total_cents):
        raise PriceChangedError(
            f"the total is {quote.total_cents} now, not {draft.expected_total_cents}",
            field="expected_total_cents",
        )
    return quote


def _pay(draft: Draft, quote: Quote, key: str | None, config: Config) -> payments.Payment:
    if draft.payment_token is None:
        return payments.invoice(quote.total_cents, key=key)
    return payments.authorise(draft.payment_token, quote.total_cents, key=key, config=config)


def _answer_once(
    db: sqlite3.Connection, key: str | None, digest: str, act: Callable[[], Response]
) -> Response:
    """Act and remember the answer, unless another request with this key has just done so."""
    response = idempotency.recall(db, key, digest)
    if response is None:
        response = act()
        idempotency.remember(db, key, digest, response)
    return response


def _placed(
    db: sqlite3.Connection, draft: Draft, quote: Quote, payment: payments.Payment, config: Config
) -> Response:
    order_id = orders.place(db, draft, quote, payment)
    order = orders.find(db, order_id, config.step_seconds)
    return Response(HTTPStatus.CREATED, order, {"Location": f"/api/orders/{order_id}"})
