"""Who is on call, and how far a waiting incident has climbed."""

from __future__ import annotations

from datetime import date, datetime

from django.conf import settings
from django.db import models
from django.utils import timezone

from incidents.models.incident import Incident
from monitoring.models import Service


class OnCall(models.Model):
    """A place in the order of those on call; each Monday (UTC) the next in the order is first."""

    service = models.ForeignKey(
        Service,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="on_call",
        help_text="Empty: for every service that has no order of its own.",
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="on_call"
    )
    position = models.PositiveSmallIntegerField(default=1)

    class Meta:
        ordering = ["service_id", "position", "id"]
        verbose_name = "on-call place"
        verbose_name_plural = "on-call places"
        constraints = [
            models.UniqueConstraint(fields=["service", "person"], name="once_in_a_service_order"),
            models.UniqueConstraint(
                fields=["person"],
                condition=models.Q(service=None),
                name="once_in_the_common_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.person} for {self.service or 'every service'}"


def week_of(day: date) -> int:
    """Return the number of the week, counted from a Monday long ago: it never jumps at a new year."""
    return (day.toordinal() - 1) // 7


class Escalation(models.Model):
    """How far the question of one incident and attempt has climbed. `level` counts the groups that were told."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="escalations")
    attempt = models.PositiveIntegerField()
    level = models.PositiveSmallIntegerField(default=0)
    since = models.DateTimeField(default=timezone.now)
    next_at = models.DateTimeField(default=timezone.now)
    first_acknowledged_at = models.DateTimeField(null=True)
    lapsed = models.PositiveSmallIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "attempt"], name="one_escalation_per_attempt"
            )
        ]
        indexes = [
            models.Index(
                fields=["next_at"],
                condition=models.Q(ended_at=None),
                name="escalations_open",
            )
        ]

    def __str__(self) -> str:
        return f"escalation of {self.incident_id}/{self.attempt} at level {self.level}"

    def climb(self, *, to: int, next_at: datetime) -> bool:
        """Go to a level by a guarded UPDATE; false when another worker went first."""
        here = Escalation.objects.filter(pk=self.pk, level=self.level, ended_at=None)
        if not here.update(level=to, next_at=next_at):
            return False
        self.level, self.next_at = to, next_at
        return True
