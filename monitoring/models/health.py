"""How a service is, and how that changed: what probing writes."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from monitoring.models.service import Service
from monitoring.standing import FAILING
from monitoring.values import Health, Symptom


def _choices(enum: type[Health] | type[Symptom]) -> list[tuple[str, str]]:
    return [(member.value, member.value.replace("_", " ")) for member in enum]


class ServiceHealth(models.Model):
    """How a service is now: the row that probing writes, apart from the row that managers edit."""

    service = models.OneToOneField(Service, on_delete=models.CASCADE, related_name="health")
    state = models.CharField(max_length=10, choices=_choices(Health), default=Health.UNKNOWN)
    since = models.DateTimeField(default=timezone.now)
    next_due_at = models.DateTimeField(default=timezone.now, db_index=True)
    probes = models.PositiveBigIntegerField(default=0)
    failures_in_row = models.PositiveIntegerField(default=0)
    successes_in_row = models.PositiveIntegerField(default=0)
    last_probe_at = models.DateTimeField(null=True)
    latency_ms = models.FloatField(null=True)
    verdict = models.JSONField(default=dict)
    deep_requested = models.BooleanField(default=False)
    last_deep_ok_at = models.DateTimeField(null=True)
    traffic_since = models.DateTimeField(
        null=True, help_text="failed requests before this were answered by what has been repaired"
    )
    tree_signature = models.CharField(max_length=64, blank=True)
    tree_since = models.DateTimeField(null=True)
    tree_probes = models.PositiveBigIntegerField(
        default=0, help_text="the count of probes when the tree was first seen as it is now"
    )

    class Meta:
        verbose_name_plural = "states of services"

    def __str__(self) -> str:
        return f"{self.service_id}: {self.state}"

    @property
    def hangs(self) -> bool:
        """Return whether it fails because its health path, which should cost nothing, gives no answer in time."""
        said = (self.verdict.get("symptom"), self.verdict.get("path"))
        return self.state in FAILING and said == (Symptom.TIMEOUT, self.service.health_path)


class HealthChange(models.Model):
    """A change of state, written once and consumed once (an outbox). `consumed_at` is the consumer's mark."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="changes")
    before = models.CharField(max_length=10, choices=_choices(Health))
    after = models.CharField(max_length=10, choices=_choices(Health))
    symptom = models.CharField(max_length=20, choices=_choices(Symptom), blank=True)
    verdict = models.JSONField(default=dict)
    source = models.CharField(max_length=20, default="probe")
    at = models.DateTimeField(default=timezone.now)
    consumed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(consumed_at=None), name="changes_unconsumed"
            )
        ]

    def __str__(self) -> str:
        return f"{self.service_id}: {self.before} -> {self.after}"
