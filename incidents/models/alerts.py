"""Telling people: what each wants to hear, the channels that lead outside, and every message that went there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone

from incidents.models.incident import Incident
from incidents.values import Severity
from teams.sealing import seal, unseal


class Kind(models.TextChoices):
    """What a notification is about."""

    ASKED = "asked", "A decision is asked of me"
    ESCALATION = "escalation", "Nobody reacted in time"
    HELP = "help", "A colleague asks for help"
    ASSIGNED = "assigned", "Something is given to me"
    MENTION = "mention", "I am mentioned"
    REPORT = "report", "A clearance report is there"
    OPENED = "opened", "An incident opened"
    TEST = "test", "A test message"


LOWEST = [(severity.value, severity.value.capitalize()) for severity in Severity]


NEVER = "never"
LOWEST_UNLESS_CHOSEN: dict[str, str] = {Kind.OPENED: Severity.BLOCKER}
"""That something broke is said to everybody only when nothing works; who has to act is asked in any case."""


class NotificationPreference(models.Model):
    """What one person wants to hear: per kind the lowest severity, and hours in which only a blocker breaks in."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notification_preference"
    )
    lowest = models.JSONField(default=dict, help_text="kind -> lowest severity")
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"preferences of {self.person_id}"

    def lowest_of(self, kind: str) -> str:
        """Return the lowest severity of which the person hears, or `NEVER`."""
        return str(self.lowest.get(kind, LOWEST_UNLESS_CHOSEN.get(kind, Severity.LOW)))

    def wants(self, kind: str, severity: str) -> bool:
        """Say whether the person wants to hear of it; a blocker is always told, unless its kind is switched off."""
        chosen = self.lowest_of(kind)
        if chosen == NEVER or severity == Severity.BLOCKER:
            return chosen != NEVER
        lowest = Severity(chosen)
        return Severity(severity or Severity.LOW).rank >= lowest.rank

    def quiet_end(self, now: datetime, time_zone: str, severity: str) -> datetime | None:
        """Return when the quiet hours that hold now are over, None outside them and for a blocker."""
        start, end = self.quiet_from, self.quiet_until
        if severity == Severity.BLOCKER or start is None or end is None or start == end:
            return None
        here = now.astimezone(ZoneInfo(time_zone))
        clock = here.time()
        overnight = start > end
        inside = (clock >= start or clock < end) if overnight else start <= clock < end
        if not inside:
            return None
        day = here.date() + timedelta(days=1 if overnight and clock >= start else 0)
        return datetime.combine(day, end, tzinfo=here.tzinfo)


class NotificationChannel(models.Model):
    """A way outside: the team's (set up by a manager), or one person's own. The address is stored encrypted only."""

    name = models.CharField(max_length=80)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="channels",
        help_text="Empty: a channel of the team. Else it carries only what this person is told.",
    )
    sealed_address = models.TextField(editable=False)
    shown_address = models.CharField(max_length=300, editable=False)
    kinds = models.JSONField(default=list, blank=True, help_text="Empty: every kind.")
    lowest = models.CharField(
        max_length=10, choices=LOWEST, default=Severity.LOW, verbose_name="from severity"
    )
    per_minute = models.PositiveSmallIntegerField(
        default=10, validators=[MinValueValidator(1), MaxValueValidator(120)]
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """Return the address in clear; raise `CannotUnseal` when the key is gone. Never shown, logged or audited."""
        return unseal(self.sealed_address)

    def set_address(self, address: str, *, shown: str) -> None:
        """Keep an address encrypted, and the form of it that may be shown."""
        self.sealed_address, self.shown_address = seal(address), shown[:300]

    def carries(self, kind: str, severity: str) -> bool:
        """Say whether a message of this kind and severity goes out here."""
        if self.kinds and kind not in self.kinds:
            return False
        return Severity(severity or Severity.LOW).rank >= Severity(self.lowest).rank


class Delivery(models.Model):
    """One message on its way through one channel; also the log of what went out. `key` sends it once a channel."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENDING = "sending"
        SENT = "sent"
        FAILED = "failed"

    channel = models.ForeignKey(
        NotificationChannel, on_delete=models.CASCADE, related_name="deliveries"
    )
    incident = models.ForeignKey(Incident, null=True, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=30, choices=Kind)
    severity = models.CharField(max_length=10, blank=True)
    title = models.CharField(max_length=200)
    body = models.TextField()
    link = models.CharField(max_length=300, blank=True)
    key = models.CharField(max_length=140)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now)
    claimed_until = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(
        null=True, help_text="messages that went out as one have the very same time"
    )

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["channel", "key"], name="sent_once_a_channel")
        ]
        indexes = [
            models.Index(
                fields=["next_at"],
                condition=models.Q(state__in=["waiting", "sending"]),
                name="deliveries_due",
            ),
            models.Index(fields=["channel", "sent_at"], name="deliveries_rate"),
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.state})"

    def settle(self, **changes: Any) -> bool:
        """Write how the attempt ended, only while this attempt still holds the row."""
        held = Delivery.objects.filter(
            pk=self.pk, state=self.State.SENDING, claimed_until=self.claimed_until
        )
        return held.update(claimed_until=None, **changes) == 1
