"""The incident itself: its status, its lease, and what happened when."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from incidents import states
from incidents.states import Status, Step
from incidents.values import Category, Severity
from monitoring.models import HealthChange, Service


class LostLease(Exception):
    """Another worker has the incident, or a person moved it; what this worker holds is void."""


class Incident(models.Model):
    """One cause of trouble in one service, from detection to its end.

    `version` grows with every move, so that pushes can be put in order. `attempt` grows when the work starts over
    (changes requested, drift, relapse, reopened): rows of the steps belong to one attempt.
    """

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="incidents")
    fingerprint = models.CharField(max_length=64, db_index=True)
    title = models.CharField(max_length=200)
    status = models.CharField(
        max_length=20,
        choices=[(s, s.replace("_", " ").capitalize()) for s in Status],
        default=Status.DETECTED,
    )
    step = models.CharField(
        max_length=10, choices=[(s, s) for s in Step], default=Step.COLLECT, blank=True
    )
    attempt = models.PositiveIntegerField(default=1)
    version = models.PositiveIntegerField(default=1)
    severity = models.CharField(
        max_length=10, choices=[(s, s) for s in Severity], default=Severity.MEDIUM
    )
    category = models.CharField(
        max_length=20, choices=[(c, c) for c in Category], default=Category.UNKNOWN
    )
    failure = models.JSONField(default=dict)
    opened_by = models.ForeignKey(
        HealthChange, null=True, on_delete=models.SET_NULL, related_name="opened"
    )
    joined = models.PositiveIntegerField(
        default=0, help_text="failures that joined after the first"
    )
    reopened = models.PositiveIntegerField(default=0)

    failed_since = models.DateTimeField(null=True)
    detected_at = models.DateTimeField(default=timezone.now)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="assigned",
    )
    taken_over_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    caused_by = models.ForeignKey(
        "monitoring.FaultInjection",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    auto_resolved = models.BooleanField(default=False)
    waits_for = models.CharField(max_length=200, blank=True, help_text="what is asked, and of whom")

    lease = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["service", "fingerprint"],
                condition=Q(status__in=sorted(states.OPEN)),
                name="one_open_incident_per_cause",
            )
        ]
        indexes = [models.Index(fields=["status", "-id"], name="incidents_by_status")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"

    @property
    def path(self) -> str:
        """Return where its page is. Not by `reverse`: that loads every page, the API and the console into a worker."""
        return f"/incidents/{self.pk}/"

    @property
    def is_open(self) -> bool:
        """Return whether anybody, agent or person, still has to do something."""
        return self.status in states.OPEN

    def partial_people(self) -> set[int]:
        """Return the ids of those who may not let its fix go live: who proposed it, or (outside demos) made the fault."""
        own = self.fixes.filter(attempt=self.attempt, state="chosen")
        ids: list[int | None] = list(own.values_list("proposer_id", flat=True))
        if self.caused_by and not self.service.is_demo:
            ids.append(self.caused_by.actor_id)
        return {pk for pk in ids if pk}

    def take_lease(self, *, now: datetime, seconds: float) -> bool:
        """Claim the incident for this run by a guarded UPDATE; false when another run holds it."""
        token = uuid.uuid4()
        free = Q(lease=None) | Q(lease_until__lt=now)
        taken = (
            Incident.objects.filter(free, pk=self.pk)
            .exclude(step=Step.WAIT)
            .update(lease=token, lease_until=now + timedelta(seconds=seconds))
        )
        if taken:
            self.refresh_from_db()
            self.lease = token
        return bool(taken)

    def renew_lease(self, *, now: datetime, seconds: float) -> None:
        """Hold the lease on; raise `LostLease` when it is another's by now."""
        until = now + timedelta(seconds=seconds)
        if not Incident.objects.filter(pk=self.pk, lease=self.lease).update(lease_until=until):
            raise LostLease(f"incident {self.pk}")

    def drop_lease(self) -> None:
        """Give the lease back, if it is still ours."""
        if self.lease is not None:
            held = Incident.objects.filter(pk=self.pk, lease=self.lease)
            held.update(lease=None, lease_until=None)

    def move(self, *, status: Status, step: Step, **changes: Any) -> None:
        """Make one guarded move: only from the status, step, attempt and lease that this object holds.

        A move that ends the agent's part for now (`Step.WAIT`) gives the lease back with it, so that a person who decides
        in the same moment is not turned away. Raises `IllegalTransition` for a move outside the table and `LostLease`
        when the row has moved on.
        """
        states.check(self.status, status)
        if status in states.ENDED and self.status not in states.ENDED:
            changes.setdefault("ended_at", timezone.now())
        if status in states.OPEN:
            changes.setdefault("ended_at", None)
        if step == Step.WAIT:
            changes |= {"lease": None, "lease_until": None}
        guard = {name: getattr(self, name) for name in ("pk", "status", "step", "attempt", "lease")}
        moved = Incident.objects.filter(**guard).update(
            status=status, step=step, version=F("version") + 1, **changes
        )
        if not moved:
            raise LostLease(f"incident {self.pk} moved on from {self.status}/{self.step}")
        self.status, self.step, self.version = status, step, self.version + 1
        for name, value in changes.items():
            setattr(self, name, value)

    def touch(self, **changes: Any) -> None:
        """Change fields that are no move (assignee, counts) and count the version up for the push."""
        Incident.objects.filter(pk=self.pk).update(version=F("version") + 1, **changes)
        self.refresh_from_db()


class TimelineEntry(models.Model):
    """What happened, who did it, when, and how long it took. Never edited."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="timeline")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30)
    actor = models.CharField(max_length=254, default="AgentOps")
    text = models.TextField()
    duration_ms = models.PositiveIntegerField(null=True)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.text[:60]}"


class Comment(models.Model):
    """What a person said in the team discussion of an incident."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=5000)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text[:60]
