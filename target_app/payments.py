"""The payment gateway of the test shop: answers by token, charges nobody.

`tok_declined` is refused; `tok_slow` takes five seconds, longer than the usual limit; any other
token is approved after `payment.sandbox_latency_seconds`. As with a real gateway, the approval is
asked for outside any database transaction, has a time limit, and repeats under the same key.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass

from config import Config
from errors import PaymentDeclinedError, PaymentTimeoutError

_SLOW_SECONDS = 5.0


@dataclass(frozen=True)
class Payment:
    """An approved amount. `due` means: to be paid on invoice."""

    method: str
    status: str
    reference: str
    amount_cents: int

    def as_json(self) -> dict[str, object]:
        return {
            "method": self.method,
            "status": self.status,
            "reference": self.reference,
            "amount_cents": self.amount_cents,
        }


def authorise(token: str, amount_cents: int, *, key: str | None, config: Config) -> Payment:
    """Ask the gateway for an amount; raise PaymentDeclinedError or PaymentTimeoutError."""
    _await_gateway(
        _SLOW_SECONDS if token == "tok_slow" else config.sandbox_latency_seconds,  # noqa: S105
        limit=config.payment_timeout_seconds,
    )
    if token == "tok_declined":  # noqa: S105
        raise PaymentDeclinedError("the card was declined", field="payment.token")
    return Payment("test_card", "captured", _reference(key), amount_cents)


def invoice(amount_cents: int, *, key: str | None) -> Payment:
    """Return a payment that is still due."""
    return Payment("invoice", "due", _reference(key), amount_cents)


def _await_gateway(seconds: float, *, limit: float) -> None:
    time.sleep(min(seconds, limit))
    if seconds > limit:
        raise PaymentTimeoutError(f"the payment gateway gave no answer within {limit:g} s")


def _reference(key: str | None) -> str:
    """The same key gives the same reference, so a repeat can never be a second charge."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:16] if key else secrets.token_hex(8)
    return f"pay_{digest}"
