"""What remains of an incident: the report, what people were told, and what was learned."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from incidents.models.incident import Incident


class ClearanceReport(models.Model):
    """The account of one resolved incident, one per attempt that reached its end."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="reports")
    attempt = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    body = models.JSONField(default=dict)
    markdown = models.TextField(blank=True)
    search = models.TextField(blank=True, help_text="lower-case words that the list is searched by")
    created_at = models.DateTimeField(default=timezone.now)
    postmortem = models.TextField(blank=True)
    postmortem_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    postmortem_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "attempt"], name="one_report_per_attempt")
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def path(self) -> str:
        """Return where its page is; see `Incident.path`."""
        return f"/reports/{self.pk}/"


class FollowUp(models.Model):
    """Something that is still to be done after an incident. `key` names those that the agent suggested."""

    report = models.ForeignKey(ClearanceReport, on_delete=models.CASCADE, related_name="follow_ups")
    text = models.CharField(max_length=300)
    key = models.CharField(max_length=60, blank=True)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="follow_ups"
    )
    created_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text[:60]


class Notification(models.Model):
    """One thing that one person was told. `key` makes sure that it is told once.

    In a burst later rows hang under an unread earlier one (`bundle`) and count as read: the bell counts one.
    """

    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications"
    )
    incident = models.ForeignKey(
        Incident, null=True, on_delete=models.CASCADE, related_name="notifications"
    )
    kind = models.CharField(max_length=30)
    severity = models.CharField(max_length=10, blank=True)
    text = models.CharField(max_length=400)
    link = models.CharField(max_length=300, blank=True)
    key = models.CharField(max_length=120)
    at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)
    bundle = models.ForeignKey(
        "self", null=True, on_delete=models.CASCADE, related_name="bundled", editable=False
    )

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["person", "key"], name="told_once"),
        ]
        indexes = [models.Index(fields=["person", "read_at"], name="bell")]

    def __str__(self) -> str:
        return self.text[:60]


class LearningRecord(models.Model):
    """A decision or an outcome, as later confidence learns from it. `held` None: not known yet.

    Kinds are those of decisions and the three outcomes: verified (held True once its watch window has passed),
    relapsed, undone.
    """

    OUTCOMES = ("verified", "relapsed", "undone")

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="lessons")
    attempt = models.PositiveIntegerField()
    kind = models.CharField(
        max_length=20, help_text="auto, approve, reject, ..., verified, relapsed, undone"
    )
    service_slug = models.CharField(max_length=40)
    category = models.CharField(max_length=20)
    fingerprint = models.CharField(max_length=64, db_index=True)
    fix_kind = models.CharField(max_length=40)
    confidence = models.FloatField(default=0)
    held = models.BooleanField(null=True)
    at = models.DateTimeField(default=timezone.now)
    excluded_at = models.DateTimeField(null=True)
    excluded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    excluded_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["incident", "attempt", "kind"], name="lesson_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.category}"
