"""Places a checkout: from the press on "Pay", and again by the outbox task until the shop has answered.

Whatever is killed when: before the claim, the outbox finds the row; between claim and answer, the claim runs out and the
row is sent again under the same key, which the shop answers with what it did; after the answer, the row is settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from monitoring.models import HealthChange
from monitoring.values import Health
from shop import announce, quotes, target
from shop.models import Checkout

CHECKOUT = "/api/checkout"
MOST_AT_ONCE = 100
MOST_GATEWAY_TIMEOUTS = 3
STILL_UNDER_WAY = timedelta(seconds=15)  # how long an attempt of unknown end may yet sell
_NO_GATEWAY = "The payment service gave no answer in time. Nothing was charged."


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try: whether the shop is away, which ends a round of the outbox early."""

    made: bool = False
    away: bool = False


def attempt(checkout: Checkout) -> Attempt:
    """Try to place a waiting checkout once, if nobody else is doing so."""
    if not checkout.claim(timezone.now()):
        return Attempt()
    reply = _sent(checkout)
    away = _settle(checkout, reply)
    checkout.refresh_from_db()
    announce.checkout_changed(checkout)
    return Attempt(made=True, away=away)


def place_waiting(*, now: datetime) -> int:
    """Try every waiting checkout that is due; stop at the first sign that the shop is still away."""
    tried = 0
    for checkout in _due(now):
        result = attempt(checkout)
        tried += result.made
        if result.away:
            break
    return tried


def is_under_way(checkout: Checkout, *, now: datetime) -> bool:
    """Return whether a waiting checkout is being placed: the shop is well as far as we know.

    Only what an attempt met is shown as an outage: neither an attempt that nobody answered yet, nor one from before the
    shop came back.
    """
    if checkout.state != Checkout.State.WAITING:
        return False
    if checkout.is_first_attempt(now):
        return True
    back_at = _came_back_at()
    return back_at is not None and checkout.tried_at is not None and checkout.tried_at < back_at


def body_of(checkout: Checkout, total_cents: int | None) -> dict[str, Any]:
    """Return the purchase as the shop's API takes it; the same row and total give the same bytes."""
    body: dict[str, Any] = dict(checkout.request)
    if total_cents is not None:
        body["expected_total_cents"] = total_cents
    return body


def _due(now: datetime) -> list[Checkout]:
    """Return what is to be tried: due by its back-off, or last tried before the shop came back."""
    waiting = Checkout.objects.filter(state=Checkout.State.WAITING).order_by("next_try_at")
    if not waiting.exists():
        return []  # nearly always, every two seconds
    due = list(waiting.filter(next_try_at__lte=now)[:MOST_AT_ONCE])
    back_at = _came_back_at()
    if back_at is None:
        return due
    hurried = waiting.filter(next_try_at__gt=now, tried_at__lt=back_at)
    return due + list(hurried[: MOST_AT_ONCE - len(due)])


def _came_back_at() -> datetime | None:
    """Return since when the shop is healthy; None while it is not, or never was anything else."""
    found = target.service()
    if found is None:
        return None
    newest = HealthChange.objects.filter(service=found).order_by("-id")
    change = newest.values_list("after", "at").first()
    return change[1] if change and change[0] == Health.HEALTHY else None


def _sent(checkout: Checkout) -> target.Reply:
    """Send the purchase. An order that was made under a former total is found again under that total."""
    if checkout.expected_cents is None:
        return target.price(_priced_part(checkout))
    reply = _buy(checkout, checkout.expected_cents)
    if reply.error.get("field") != "idempotency_key":
        return reply
    for total_cents in reversed(checkout.tried_cents):
        reply = _buy(checkout, total_cents)
        if reply.error.get("field") != "idempotency_key":
            break
    return reply


def _buy(checkout: Checkout, total_cents: int) -> target.Reply:
    return target.tell(CHECKOUT, body_of(checkout, total_cents), key=checkout.key)


def _settle(checkout: Checkout, reply: target.Reply) -> bool:
    """Write down what the shop said; return whether it is away."""
    now = timezone.now()
    if checkout.expected_cents is None:
        return _settle_unpriced(checkout, reply, now)
    if reply.is_good and isinstance(reply.body.get("id"), str):
        checkout.place(reply.body, now)
        return False
    kind = reply.error.get("type", "")
    if kind == "PaymentTimeoutError" and checkout.gateway_timeouts + 1 >= MOST_GATEWAY_TIMEOUTS:
        return _end(checkout, Checkout.State.REFUSED, _NO_GATEWAY, now)
    if reply.is_away or reply.is_good:
        checkout.put_off(
            now,
            unanswered=reply.is_unanswered,
            gateway_timeout=kind == "PaymentTimeoutError",
        )
        return kind != "PaymentTimeoutError"
    return _settle_refusal(checkout, reply, now)


def _settle_refusal(checkout: Checkout, reply: target.Reply, now: datetime) -> bool:
    kind = reply.error.get("type", "")
    if kind == "PaymentDeclinedError":
        declined = "The card was declined. Nothing was charged."
        checkout.end(Checkout.State.DECLINED, declined, now)
        return False
    if kind == "PriceChangedError":
        return _settle_unpriced(checkout, target.price(_priced_part(checkout)), now)
    return _end(checkout, Checkout.State.REFUSED, quotes.refusal(reply.error), now)


def _settle_unpriced(checkout: Checkout, reply: target.Reply, now: datetime) -> bool:
    """Ask the shopper about the total of now; go on at once when it is the one that was agreed to."""
    quote = quotes.parsed(reply.body) if reply.is_good else None
    if quote is not None and quote.total_cents != checkout.expected_cents:
        checkout.ask(quote.as_json())
        return False
    if quote is not None or reply.is_away:
        checkout.put_off(now, unanswered=False, gateway_timeout=False)
        return quote is None
    return _end(checkout, Checkout.State.REFUSED, quotes.refusal(reply.error), now)


def _end(checkout: Checkout, state: Checkout.State, problem: str, now: datetime) -> bool:
    """End without a sale, but not while an earlier attempt of unknown end may still sell."""
    unknown = checkout.unanswered_at
    if unknown is not None and now - unknown < STILL_UNDER_WAY:
        checkout.put_off(now, unanswered=False, gateway_timeout=False)
    else:
        checkout.end(state, problem, now)
    return False


def _priced_part(checkout: Checkout) -> dict[str, Any]:
    return {
        "items": checkout.request["items"],
        "country": checkout.request["address"]["country"],
        "gift_wrap": checkout.request["gift_wrap"],
    }
