"""Leaves a vendor alone for a while after repeated failures, then lets one call through to see whether it is back."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, QuerySet

from agentops_site.models import VendorState


class VendorError(Exception):
    """A vendor gave nothing usable. `permanent`: trying again cannot help. `counts`: it is the vendor's failure.

    The text is for people and never holds a key. A refusal to answer, say, does not count: the vendor works.
    """

    def __init__(self, message: str, *, permanent: bool = False, counts: bool = True) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.counts = counts


class LeftAlone(VendorError):
    """The vendor failed repeatedly and is not asked for a while."""


def admit(vendor: str, *, now: datetime) -> None:
    """Return when the vendor may be asked; raise `LeftAlone` when it may not.

    While the breaker is open, the first caller after the pause is let through and the pause starts again for all
    others: one guarded UPDATE decides between processes who that is.
    """
    state, _ = VendorState.objects.get_or_create(vendor=vendor)
    until = state.left_alone_until
    if until is None:
        return
    if until <= now and _row(vendor, left_alone_until=until).update(left_alone_until=_later(now)):
        return
    raise LeftAlone(
        f"{vendor} failed {state.failures} times in a row and is left alone until "
        f"{max(until, now):%H:%M:%S} UTC (last: {state.last_error})",
        counts=False,
    )


def succeeded(vendor: str, *, now: datetime, cost_usd: float = 0.0) -> None:
    """Count a call that went well and close the breaker."""
    _row(vendor).update(
        calls=F("calls") + 1,
        cost_usd=F("cost_usd") + cost_usd,
        failures=0,
        left_alone_until=None,
        last_success_at=now,
    )


def failed(vendor: str, error: VendorError, *, now: datetime, cost_usd: float = 0.0) -> None:
    """Count a failed call; open the breaker when it is one too many in a row."""
    _row(vendor).update(
        calls=F("calls") + 1,
        errors=F("errors") + 1,
        cost_usd=F("cost_usd") + cost_usd,
        failures=F("failures") + 1 if error.counts else F("failures"),
        last_error_at=now,
        last_error=str(error)[:500],
    )
    if error.counts:
        _row(vendor, failures__gte=settings.VENDOR_BREAKER_FAILURES).update(
            left_alone_until=_later(now)
        )


def _row(vendor: str, **where: object) -> QuerySet[VendorState]:
    return VendorState.objects.filter(vendor=vendor, **where)


def _later(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.VENDOR_BREAKER_SECONDS)
