"""How the vendors are doing: one row a vendor, and one a call."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class VendorState(models.Model):
    """What is known of one vendor, shared by all processes. `left_alone_until` is set while the breaker is open.

    `failures` counts failures in a row; calls, errors and cost count since the vendor was first used.
    """

    vendor = models.CharField(max_length=20, unique=True)
    calls = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    cost_usd = models.FloatField(default=0)
    failures = models.PositiveIntegerField(default=0)
    left_alone_until = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    last_error_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    tested_at = models.DateTimeField(null=True)
    test_result = models.TextField(blank=True, help_text="what the test button found, in words")

    class Meta:
        ordering = ["vendor"]

    def __str__(self) -> str:
        return f"{self.vendor}: {self.calls} calls, {self.errors} errors"


class VendorCall(models.Model):
    """One call of a vendor: what for, how it went, how long it took and what it cost. Kept for a week."""

    vendor = models.CharField(max_length=20)
    operation = models.CharField(max_length=40)
    ok = models.BooleanField()
    error = models.TextField(blank=True)
    duration_ms = models.PositiveIntegerField(default=0)
    cost_usd = models.FloatField(default=0)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["vendor", "-at"], name="calls_by_vendor")]

    def __str__(self) -> str:
        return f"{self.vendor} {self.operation}: {'ok' if self.ok else self.error[:60]}"
