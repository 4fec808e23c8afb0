"""What the storefront must not forget: the last good answers of the shop, and every checkout until it is settled."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from monitoring.models import Service

LEASE = timedelta(seconds=30)  # longer than any single request to the shop may take
# Seconds between attempts; the last one repeats. Short, since a round ends at its first sign that the shop is away: however
# many wait, a shop that is down is asked once, and an order is never placed later than it must.
BACK_OFF = (1, 2, 3, 5)
UNSENT = timedelta(
    seconds=10
)  # within this the outbox has tried a row whose web process was killed, if the shop is there
_CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none that is read as another


def new_code() -> str:
    """Return a short name for an order that a person can read out: 8 of 30 letters."""
    letters = "".join(secrets.choice(_CODE_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


class LastGood(models.Model):
    """The newest good answer to one read of the shop, shown while the shop is down."""

    name = models.CharField(max_length=120, unique=True)
    body = models.JSONField()
    fetched_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name

    @classmethod
    def keep(cls, name: str, body: object, at: datetime) -> None:
        """Store an answer in place of the one before."""
        cls.objects.update_or_create(name=name, defaults={"body": body, "fetched_at": at})


class Checkout(models.Model):
    """One purchase, from the press on "Pay" to its end: a row in the outbox until the shop has answered.

    `key` is the idempotency key: made once a checkout, unique here and remembered by the shop, so that neither a double
    click nor a worker killed half way can buy twice. `request` is what is sent besides the key and the total.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waiting for the shop"
        ASKING = "asking", "waiting for your answer"
        PLACED = "placed", "placed"
        DECLINED = "declined", "card declined"
        REFUSED = "refused", "not placed"
        CANCELLED = "cancelled", "cancelled"

    code = models.CharField(max_length=12, unique=True, default=new_code)
    key = models.CharField(max_length=64, unique=True)
    shopper = models.CharField(max_length=64, db_index=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    request = models.JSONField()
    quote = models.JSONField(default=dict, help_text="the totals that the shopper has seen")
    expected_cents = models.BigIntegerField(null=True)
    tried_cents = models.JSONField(default=list, help_text="totals that were sent before this one")
    problem = models.CharField(max_length=300, blank=True)

    attempts = models.PositiveIntegerField(default=0)
    gateway_timeouts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    claimed_until = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True)
    unanswered_at = models.DateTimeField(null=True, help_text="when an attempt last ended unknown")

    order_id = models.CharField(max_length=40, blank=True, db_index=True)
    order = models.JSONField(default=dict, help_text="the order as the shop last told it")
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["next_try_at"], condition=Q(state="waiting"), name="checkouts_waiting"
            )
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.state}"

    @property
    def is_open(self) -> bool:
        """Return whether something may still happen to it without the shopper buying again."""
        return self.state in {self.State.WAITING, self.State.ASKING}

    def is_first_attempt(self, now: datetime) -> bool:
        """Return whether nobody knows yet how the first attempt ends: as the other click of a double click sees it."""
        if self.attempts == 0:
            return self.created_at > now - UNSENT
        return self.attempts == 1 and self.claimed_until is not None and self.claimed_until > now

    def claim(self, now: datetime) -> bool:
        """Take the row for one attempt; False when it is settled or another process has it."""
        free = Q(claimed_until=None) | Q(claimed_until__lt=now)
        taken = self._rows(self.State.WAITING).filter(free)
        claimed = taken.update(claimed_until=now + LEASE, tried_at=now, attempts=F("attempts") + 1)
        if claimed:
            self.refresh_from_db()
        return bool(claimed)

    def put_off(self, now: datetime, *, unanswered: bool, gateway_timeout: bool) -> None:
        """Give the row back to the outbox for a later attempt."""
        seconds = BACK_OFF[min(self.attempts, len(BACK_OFF)) - 1]
        changes: dict[str, Any] = {"next_try_at": now + timedelta(seconds=seconds)}
        if unanswered:
            changes["unanswered_at"] = now
        if gateway_timeout:
            changes["gateway_timeouts"] = F("gateway_timeouts") + 1
        self._rows(self.State.WAITING).update(claimed_until=None, **changes)

    def place(self, order: Mapping[str, Any], now: datetime) -> bool:
        """Record the order. Whatever the row said before: that the shop has sold is the truth."""
        unplaced = type(self).objects.filter(pk=self.pk).exclude(state=self.State.PLACED)
        return bool(
            unplaced.update(
                state=self.State.PLACED,
                order=dict(order),
                order_id=str(order["id"]),
                problem="",
                claimed_until=None,
                settled_at=now,
            )
        )

    def end(self, state: State, problem: str, now: datetime) -> bool:
        """Settle a waiting row without a sale."""
        ended = self._rows(self.State.WAITING)
        return bool(
            ended.update(state=state, problem=problem[:300], claimed_until=None, settled_at=now)
        )

    def ask(self, quote: Mapping[str, Any]) -> bool:
        """Stop and ask the shopper: the total is another one than the one that was agreed to."""
        return bool(
            self._rows(self.State.WAITING).update(
                state=self.State.ASKING, quote=dict(quote), claimed_until=None
            )
        )

    def agree(self, total_cents: int, now: datetime) -> bool:
        """Go on with the new total, if it is still the one that the shopper saw."""
        if self.quote.get("total_cents") != total_cents:
            return False
        tried = self.tried_cents + ([] if self.expected_cents is None else [self.expected_cents])
        return bool(
            self._rows(self.State.ASKING).update(
                state=self.State.WAITING,
                expected_cents=total_cents,
                tried_cents=tried,
                next_try_at=now,
                problem="",
            )
        )

    def cancel(self, now: datetime) -> bool:
        """Withdraw it, while the shop has said that it did not sell at the former total."""
        asking = self._rows(self.State.ASKING)
        return bool(asking.update(state=self.State.CANCELLED, settled_at=now))

    def _rows(self, state: State) -> models.QuerySet[Checkout]:
        return type(self).objects.filter(pk=self.pk, state=state)


class TrafficRun(models.Model):
    """Simulated shoppers for some minutes. At most one run a service, by constraint: starting twice joins."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="traffic_runs")
    rate = models.FloatField(help_text="requests a second")
    mix = models.CharField(max_length=20, help_text="shares of browse, search, buy")
    started_by = models.CharField(max_length=80, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(help_text="when the driving process last said that it lives")
    driven = models.BooleanField(default=False)
    is_running = models.BooleanField(default=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["service"], condition=Q(is_running=True), name="one_traffic_run_a_service"
            )
        ]

    def __str__(self) -> str:
        return f"{self.rate:g}/s at {self.service_id}"


class TrafficSecond(models.Model):
    """One second of a run: counts, and latency in milliseconds."""

    run = models.ForeignKey(TrafficRun, on_delete=models.CASCADE, related_name="seconds")
    at = models.DateTimeField(default=timezone.now)
    count = models.PositiveIntegerField()
    errors = models.PositiveIntegerField()
    p50_ms = models.FloatField()
    p95_ms = models.FloatField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.count} requests"
