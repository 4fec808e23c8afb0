"""The record of every call of a vendor: one way in for all adapters, so that none is forgotten or counted twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from django.utils import timezone

from agentops_site.integrations import breaker
from agentops_site.integrations.breaker import VendorError
from agentops_site.models import VendorCall

KEPT = timedelta(days=7)
TIDY_EVERY = 200


@dataclass
class Call:
    """A call under way; the adapter sets what it cost (US dollars), also when it goes wrong afterwards."""

    cost_usd: float = 0.0


@contextmanager
def call(vendor: str, operation: str) -> Iterator[Call]:
    """Ask the breaker, then record how the body went: its `VendorError`, any other error, or success.

    Raises `LeftAlone` before the body when the vendor is left alone. Adapters turn what their SDK raises into a
    `VendorError` inside the body. Writes in the thread that calls, outside any transaction of a step.
    """
    breaker.admit(vendor, now=timezone.now())
    under_way, began = Call(), monotonic()
    try:
        yield under_way
    except VendorError as error:
        _keep(vendor, operation, under_way, began, error)
        raise
    except BaseException as error:
        # Ours, or a time limit of the worker: recorded, but it says nothing about the vendor.
        _keep(vendor, operation, under_way, began, VendorError(type(error).__name__, counts=False))
        raise
    _keep(vendor, operation, under_way, began, None)


def _keep(vendor: str, operation: str, done: Call, began: float, error: VendorError | None) -> None:
    now = timezone.now()
    if error is None:
        breaker.succeeded(vendor, now=now, cost_usd=done.cost_usd)
    else:
        breaker.failed(vendor, error, now=now, cost_usd=done.cost_usd)
    row = VendorCall.objects.create(
        vendor=vendor,
        operation=operation,
        ok=error is None,
        error=str(error or "")[:500],
        duration_ms=int((monotonic() - began) * 1000),
        cost_usd=done.cost_usd,
        at=now,
    )
    if row.pk % TIDY_EVERY == 0:
        VendorCall.objects.filter(at__lt=now - KEPT).delete()
