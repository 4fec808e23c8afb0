"""What the flight recorder keeps of real requests."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from monitoring.models.service import Service


class RecordedExchange(models.Model):
    """One request with its answer in the flight recorder's ring."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="exchanges")
    at = models.DateTimeField(default=timezone.now)
    source = models.CharField(max_length=20)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=2000)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=bytes)
    status = models.PositiveSmallIntegerField(null=True)
    answer_type = models.CharField(max_length=100, blank=True)
    answer = models.BinaryField(default=bytes)
    failure = models.CharField(max_length=20, blank=True)
    elapsed_ms = models.FloatField(default=0)
    good = models.BooleanField(default=True)
    user = models.CharField(max_length=80, blank=True)
    size = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["service", "id"], name="ring"),
            models.Index(
                fields=["service", "at"], condition=models.Q(good=False), name="ring_failures"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path} -> {self.status or self.failure}"
