"""The agent's own switch."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class AgentState(models.Model):
    """One row: whether the agent may change anything at all (the kill switch and the freeze)."""

    paused = models.BooleanField(default=False)
    frozen_until = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return "paused" if self.paused else "watching"

    @classmethod
    def now(cls) -> AgentState:
        """Return the one row, made when it is asked for the first time."""
        return cls.objects.get_or_create(pk=1)[0]

    @property
    def forbids_changes(self) -> str:
        """Return why nothing may be changed now, or an empty text."""
        if self.paused:
            return self.reason or "the agent is paused"
        if self.is_frozen:
            return self.reason or f"changes are frozen until {self.frozen_until:%Y-%m-%d %H:%M} UTC"
        return ""

    @property
    def is_frozen(self) -> bool:
        """Say whether a freeze holds now."""
        return bool(self.frozen_until and self.frozen_until > timezone.now())

    @property
    def refusal(self) -> str:
        """Return why nothing may be changed now as a clause that needs no page around it, or an empty text."""
        why = f" ({self.reason})" if self.reason else ""
        if self.paused:
            return f"the agent is paused{why}"
        if self.is_frozen:
            return f"changes are frozen until {self.frozen_until:%Y-%m-%d %H:%M} UTC{why}"
        return ""
