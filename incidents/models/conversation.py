"""What was said to a model and what it answered, so that nobody has to believe the summary."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from incidents.models.incident import Incident


class AgentRun(models.Model):
    """One conversation with a model: it yields the diagnosis and the fix of one attempt.

    `answer` is the model's final structured answer in JSON, secrets still as placeholders (text, since PostgreSQL's
    JSON refuses NUL, and a NUL in a fix has to be seen to be refused); `tag` marks the placeholders of this run. A run is kept when its worker dies, so that its cost still counts.
    """

    class State(models.TextChoices):
        RUNNING = "running"
        ANSWERED = "answered"
        FAILED = "failed"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="agent_runs")
    attempt = models.PositiveIntegerField()
    author = models.CharField(max_length=40)
    model = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    reason = models.TextField(blank=True, help_text="why it failed, for people")
    answer = models.TextField(blank=True)
    tag = models.CharField(max_length=16, blank=True)
    seconds = models.FloatField(default=0)
    started_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "attempt", "author"], name="one_conversation_per_attempt"
            )
        ]

    def __str__(self) -> str:
        return f"{self.author} on incident {self.incident_id}/{self.attempt}: {self.state}"


class ModelExchange(models.Model):
    """One request to a model and its answer, both redacted: what was added to the conversation, and what it cost."""

    run = models.ForeignKey(AgentRun, on_delete=models.CASCADE, related_name="exchanges")
    turn = models.PositiveSmallIntegerField()
    sent = models.JSONField(default=list, help_text="the messages added since the turn before")
    received = models.JSONField(default=list, help_text="the content blocks of the answer")
    stop_reason = models.CharField(max_length=40, blank=True)
    error = models.TextField(blank=True)
    input_tokens = models.PositiveIntegerField(default=0, help_text="read afresh, at full price")
    cache_write_tokens = models.PositiveIntegerField(default=0)
    cache_read_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cost_usd = models.FloatField(default=0)
    duration_ms = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"turn {self.turn}: {self.stop_reason or self.error[:60]}"
