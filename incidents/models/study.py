"""What was seen (evidence) and what it means (diagnosis)."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from incidents.models.incident import Incident


class Evidence(models.Model):
    """All pieces of evidence of one attempt in one row, with the trees they were read from (by blob digest)."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="evidence")
    attempt = models.PositiveIntegerField()
    items = models.JSONField(default=list)
    pack = models.JSONField(
        default=dict, help_text="process state, log tail, stacks, measured impact"
    )
    current = models.JSONField(default=dict, help_text="path -> sha256 of the files as they are")
    last_good = models.JSONField(null=True, help_text="path -> sha256 of last known good")
    environment = models.JSONField(default=dict)
    last_good_environment = models.JSONField(null=True)
    failing = models.JSONField(default=list, help_text="the frozen failing requests F")
    good = models.JSONField(default=list, help_text="the frozen good requests G")
    collected_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "attempt"], name="evidence_once_per_attempt"
            )
        ]

    def __str__(self) -> str:
        return f"evidence of {self.incident_id}/{self.attempt}"


class Diagnosis(models.Model):
    """A cause. `impact` holds measured numbers only: failing endpoints, shares, since when."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="diagnoses")
    attempt = models.PositiveIntegerField()
    author = models.CharField(max_length=254, default="built-in")
    category = models.CharField(max_length=20)
    root_cause = models.TextField()
    file = models.CharField(max_length=500, blank=True)
    line = models.PositiveIntegerField(null=True)
    plain = models.TextField(blank=True)
    analogy = models.TextField(blank=True)
    certainty = models.FloatField(default=0)
    cited = models.JSONField(default=list)
    ruled_out = models.JSONField(default=list)
    impact: Any = models.JSONField(default=dict)
    spent = models.JSONField(
        default=dict, help_text="tokens, cost and time of a model, when one answered"
    )
    fallback_reason = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "attempt"], name="diagnosis_once_per_attempt"
            )
        ]

    def __str__(self) -> str:
        return self.root_cause[:80]
