"""A restart that "fixes" the same thing again and again repairs nothing: what is owed stands here until somebody settles it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from monitoring.models import Service

LOWERS_AT, FREEZES_AT = 2, 3


class Debt(models.Model):
    """One cause that restarts have hidden. `history` holds when (ISO 8601, UTC), the oldest first: the trend.

    After one restart nothing is owed. The second time the same cause comes back people are asked, the third time restarts are
    frozen for it until a person settles the debt (a lead may still override).
    """

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="debts")
    fingerprint = models.CharField(max_length=64)
    title = models.CharField(max_length=200)
    restarts = models.PositiveIntegerField(default=0)
    history = models.JSONField(default=list)
    opened_at = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    settled_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-last_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["service", "fingerprint"],
                condition=Q(settled_at__isnull=True),
                name="one_open_debt_per_cause",
            )
        ]

    def __str__(self) -> str:
        return f"{self.title} ({self.restarts} restarts)"

    @property
    def lowers(self) -> bool:
        """Return whether another restart needs a person."""
        return self.settled_at is None and self.restarts >= LOWERS_AT

    @property
    def freezes(self) -> bool:
        """Return whether another restart is frozen; never for a demo service, which is broken on purpose."""
        frozen = self.settled_at is None and self.restarts >= FREEZES_AT
        return frozen and not self.service.is_demo
