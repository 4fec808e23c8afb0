"""A change to production: the fix, its proof, its review, who decided, and how it went."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from incidents.models.incident import Incident


class Fix(models.Model):
    """One candidate: typed actions, and exactly which bytes they lead to."""

    class State(models.TextChoices):
        CANDIDATE = "candidate"
        CHOSEN = "chosen"
        LOST = "lost"
        REFUSED = "refused"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="fixes")
    attempt = models.PositiveIntegerField()
    rank = models.PositiveSmallIntegerField(default=0)
    author = models.CharField(max_length=254, default="built-in")
    proposer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    actions = models.JSONField(default=list)
    writes = models.JSONField(
        default=dict, help_text="path -> {before, after}: sha256 of the bytes, null for no file"
    )
    environment = models.JSONField(
        null=True, help_text="the environment after the fix, when it changes"
    )
    restarts = models.BooleanField(default=True)
    diff = models.TextField(blank=True)
    explanation = models.TextField()
    risks = models.TextField(blank=True)
    digest = models.CharField(max_length=64)
    base_digest = models.CharField(max_length=64)
    lines_changed = models.PositiveIntegerField(default=0)
    proved_minimal = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.CANDIDATE)
    why = models.TextField(blank=True, help_text="why it was chosen, lost or was refused")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["attempt", "rank", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "attempt", "digest"], name="one_fix_per_digest_and_attempt"
            )
        ]

    def __str__(self) -> str:
        return f"fix {self.digest[:12]}"


class Trial(models.Model):
    """The receipt of one trial. `passed` None means that a trial was not possible; `reason` says why."""

    fix = models.OneToOneField(Fix, on_delete=models.CASCADE, related_name="trial")
    passed = models.BooleanField(null=True)
    applied = models.BooleanField(default=False)
    reproduced = models.BooleanField(null=True, help_text="was the failure seen without the fix")
    reason = models.TextField(blank=True)
    receipt = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    isolation = models.CharField(max_length=200, blank=True)
    duration_ms = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"trial {self.digest[:12]}"


class SafetyReview(models.Model):
    """One reviewer's verdict on one fix. `passed` None means that the reviewer gave none."""

    fix = models.ForeignKey(Fix, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.CharField(max_length=40)
    passed = models.BooleanField(null=True)
    score = models.FloatField(default=0)
    findings = models.JSONField(default=list)
    policies = models.JSONField(default=dict)
    session = models.CharField(max_length=254, blank=True)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["fix", "reviewer"], name="one_verdict_per_reviewer")
        ]

    def __str__(self) -> str:
        return f"{self.reviewer}: {self.passed}"


class Decision(models.Model):
    """What was decided about a fix, by the rules or by a person, bound to the digests it was made on."""

    class Kind(models.TextChoices):
        AUTO = "auto", "Deployed alone"
        ASK = "ask", "Asked a person"
        ESCALATE = "escalate", "Escalated"
        APPROVE = "approve", "Approved"
        OVERRIDE = "override", "Overrode the rules"
        REJECT = "reject", "Rejected"
        REQUEST_CHANGES = "request_changes", "Asked for changes"

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="decisions")
    attempt = models.PositiveIntegerField()
    fix = models.ForeignKey(Fix, null=True, on_delete=models.CASCADE, related_name="decisions")
    kind = models.CharField(max_length=20, choices=Kind)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="decisions"
    )
    severity = models.CharField(max_length=10)
    score = models.FloatField(default=0)
    terms = models.JSONField(default=list, help_text="[{name, value, note}] whose sum is the score")
    reasons = models.JSONField(default=list)
    reason = models.TextField(blank=True, help_text="what the person said")
    needed_role = models.CharField(max_length=20, blank=True)
    fix_digest = models.CharField(max_length=64, blank=True)
    base_digest = models.CharField(max_length=64, blank=True)
    trial_digest = models.CharField(max_length=64, blank=True)
    policy_digest = models.CharField(max_length=64, blank=True)
    expires_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)
    void_reason = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.score:.2f}"

    @property
    def permits_deploy(self) -> bool:
        """Return whether this is one of the three kinds that let a fix go live."""
        return self.kind in {self.Kind.AUTO, self.Kind.APPROVE, self.Kind.OVERRIDE}


class Deployment(models.Model):
    """One fix going live: what was kept, how far it got, and how it ended.

    The row is written before the first byte is: whoever finds it half done finishes it or puts `kept` back.
    """

    class State(models.TextChoices):
        PREPARED = "prepared"
        WRITTEN = "written"
        RESTARTED = "restarted"
        HEALTHY = "healthy"
        UNDONE = "undone"
        UNDO_FAILED = "undo_failed"

    RUNNING = (State.PREPARED, State.WRITTEN, State.RESTARTED)
    """Under way: begun, and neither verified nor undone yet."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="deployments")
    fix = models.OneToOneField(Fix, on_delete=models.PROTECT, related_name="deployment")
    decision = models.OneToOneField(Decision, on_delete=models.PROTECT, related_name="deployment")
    automatic = models.BooleanField(default=False)
    state = models.CharField(max_length=12, choices=State, default=State.PREPARED)
    kept = models.JSONField(default=dict, help_text="path -> sha256 before, null for no file")
    kept_environment = models.JSONField(null=True)
    before = models.JSONField(default=dict, help_text="error share and latency before the fault")
    started_at = models.DateTimeField(default=timezone.now)
    written_at = models.DateTimeField(null=True)
    healthy_at = models.DateTimeField(null=True)
    watch_until = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True, help_text="the watch window ended well")
    undone_at = models.DateTimeField(null=True)
    outcome = models.TextField(blank=True)
    checks = models.JSONField(default=list)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["incident"],
                condition=Q(state__in=["prepared", "written", "restarted"]),
                name="one_running_deployment_per_incident",
            )
        ]

    def __str__(self) -> str:
        return f"deployment {self.pk} {self.state}"
