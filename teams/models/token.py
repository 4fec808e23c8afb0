"""The API token's row. Making and checking tokens: `teams/tokens.py`."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import models


class ApiToken(models.Model):
    """A key with which a program acts as a person. Only the hash is kept; the token is shown once."""

    name = models.CharField(max_length=80, help_text="What it is for.")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens"
    )
    prefix = models.CharField(max_length=16, editable=False)
    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    created = models.DateTimeField(auto_now_add=True)
    last_used = models.DateTimeField(null=True, blank=True, editable=False)
    expires = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is revoked.")
    revoked = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created", "-pk"]
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def is_valid(self, now: datetime) -> bool:
        """Tell whether the token opens anything at `now`."""
        return self.revoked is None and (self.expires is None or self.expires > now)

    def revoke(self, *, now: datetime) -> bool:
        """End the token; return False when it had ended before."""
        changed = type(self).objects.filter(pk=self.pk, revoked=None).update(revoked=now)
        self.refresh_from_db(fields=["revoked"])
        return changed == 1
