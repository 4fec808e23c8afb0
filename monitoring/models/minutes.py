"""Rows a minute instead of rows a look: what probes saw, and what processes used."""

from __future__ import annotations

from django.db import models


class ProbeMinute(models.Model):
    """One minute of probing in one row: counts and latency in milliseconds."""

    service = models.ForeignKey(
        "monitoring.Service", on_delete=models.CASCADE, related_name="minutes"
    )
    minute = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    p50_ms = models.FloatField(default=0)
    p95_ms = models.FloatField(default=0)
    samples = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["service", "minute"], name="one_row_a_minute"),
        ]

    def __str__(self) -> str:
        return f"{self.service_id} {self.minute:%H:%M}"


class ResourceMinute(models.Model):
    """One minute of a process in one row: its last figures, its share of a processor, and its bytes of log a minute."""

    service = models.ForeignKey(
        "monitoring.Service", on_delete=models.CASCADE, related_name="resources"
    )
    minute = models.DateTimeField()
    memory_bytes = models.BigIntegerField(null=True)
    open_files = models.PositiveIntegerField(null=True)
    threads = models.PositiveIntegerField(null=True)
    cpu_share = models.FloatField(default=0)
    log_bytes = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["service", "minute"], name="one_row_of_resources_a_minute"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service_id} {self.minute:%H:%M}"
