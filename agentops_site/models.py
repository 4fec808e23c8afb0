"""How the vendors are doing: one row a vendor, and one a call. And what is said aloud."""

from __future__ import annotations

from django.conf import settings
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


class VendorHour(models.Model):
    """How many small requests of one kind went to a vendor in an hour; `failed` of them got no answer. Kept for a week."""

    class Kind(models.TextChoices):
        INTO_APP = "into the app"
        LOOK = "about processes"

    vendor = models.CharField(max_length=20)
    kind = models.CharField(max_length=20, choices=Kind)
    hour = models.DateTimeField()
    requests = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-hour"]
        constraints = [
            models.UniqueConstraint(fields=["vendor", "kind", "hour"], name="one_row_an_hour")
        ]

    def __str__(self) -> str:
        return f"{self.vendor} {self.kind} {self.hour:%H:00}: {self.requests}"


class Speech(models.Model):
    """Something said aloud: its script, and the audio when a vendor spoke it (else the browser reads the script).

    `key` says it once. `ready_at` is set when it may be played; `claimed_until` while a worker has it spoken.
    """

    class Kind(models.TextChoices):
        ALERT = "alert"
        STATUS = "status"

    kind = models.CharField(max_length=10, choices=Kind)
    key = models.CharField(max_length=80, unique=True)
    title = models.CharField(max_length=200)
    severity = models.CharField(max_length=10, blank=True)
    link = models.CharField(max_length=200, blank=True)
    incident = models.ForeignKey(
        "incidents.Incident", null=True, on_delete=models.CASCADE, related_name="+"
    )
    script = models.TextField()
    audio = models.CharField(max_length=64, blank=True, help_text="sha256 of the audio, its name")
    note = models.CharField(
        max_length=300, blank=True, help_text="where the words come from, why there is no audio"
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    claimed_until = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.title


class VoicePreference(models.Model):
    """What one person wants to hear spoken, on every browser of theirs, and the newest alert that they heard or put away."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="voice_preference"
    )
    muted = models.BooleanField(default=False)
    lowest = models.CharField(max_length=10, default="high")
    heard = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"voice of {self.person_id}"
