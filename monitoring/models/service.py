"""What is watched, as a manager configured it."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

from monitoring.values import ServiceSpec

# What a service starts with. Functions, and not the numbers themselves: a number of this machine's environment would be
# part of the schema, and every other number a migration that is due.


def first_interval() -> float:
    """Return the seconds between two probes of a new service."""
    return float(settings.MONITOR_INTERVAL)


def first_auto_threshold() -> float:
    """Return the confidence from which a new service may be mended without a person."""
    return float(settings.AUTO_FIX_THRESHOLD)


def first_escalation_threshold() -> float:
    """Return the confidence under which a new service's incidents go to an expert."""
    return float(settings.ESCALATION_THRESHOLD)


def first_watch_seconds() -> float:
    """Return the seconds for which a new service is watched after a deployment."""
    return float(settings.WATCH_WINDOW_SECONDS)


class Service(models.Model):
    """One watched service, as a manager configured it. What it is like now stands in `ServiceHealth`."""

    class Runtime(models.TextChoices):
        LOCAL = "local", "local process"
        BLAXEL = "blaxel", "Blaxel sandbox"

    class Autonomy(models.TextChoices):
        OBSERVE = "observe", "observe: never change anything"
        ASK = "ask", "ask: a person approves every fix"
        AUTO = "auto", "auto: fix alone within the policy"

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=40, unique=True)
    runtime = models.CharField(max_length=10, choices=Runtime, default=Runtime.LOCAL)
    directory = models.CharField(max_length=500, help_text="Where the service's files lie.")
    command = models.JSONField(
        default=list, help_text='Start command as a list of words; "{port}" stands for the port.'
    )
    host = models.CharField(max_length=255, default="127.0.0.1")
    port = models.PositiveIntegerField(validators=[MinValueValidator(1), MaxValueValidator(65535)])
    health_path = models.CharField(
        max_length=200,
        default="/health",
        validators=[RegexValidator(r"^/", "A path starts with /.")],
    )
    environment = models.JSONField(default=dict, blank=True)
    editable_globs = models.JSONField(default=list, help_text="Files that a fix may change.")
    data_globs = models.JSONField(default=list, blank=True, help_text="Files that hold data.")
    smoke_requests = models.JSONField(
        default=list, blank=True, help_text='[{"method": "GET", "path": "/api/products"}]'
    )
    invariants = models.JSONField(
        default=list, blank=True, help_text="Rules that answers keep (docs/services.md)."
    )
    redact_fields = models.JSONField(
        default=list,
        blank=True,
        help_text="JSON fields hidden in recorded requests, e.g. payment.token.",
    )
    repository_url = models.URLField(blank=True)
    repository_branch = models.CharField(max_length=120, default="main")

    interval = models.FloatField(default=first_interval, validators=[MinValueValidator(0.5)])
    timeout = models.FloatField(default=2.0, validators=[MinValueValidator(0.1)])
    slow_ms = models.FloatField(
        default=1500.0, help_text="An answer slower than this is a failure."
    )
    deep_every = models.PositiveIntegerField(
        default=6, help_text="Every so many probes the smoke requests and invariants are asked too."
    )
    failures_before_incident = models.PositiveSmallIntegerField(default=1)
    successes_before_recovery = models.PositiveSmallIntegerField(default=2)
    healthy_before_snapshot = models.PositiveSmallIntegerField(default=3)

    autonomy = models.CharField(max_length=10, choices=Autonomy, default=Autonomy.ASK)
    auto_ceiling = models.CharField(
        max_length=10,
        default="medium",
        help_text="The highest severity that may be fixed without a person.",
    )
    auto_threshold = models.FloatField(default=first_auto_threshold)
    escalation_threshold = models.FloatField(default=first_escalation_threshold)
    limit_per_fingerprint = models.PositiveIntegerField(default=3)
    limit_per_service = models.PositiveIntegerField(default=6)
    watch_seconds = models.FloatField(default=first_watch_seconds)
    enabled = models.BooleanField(default=True)
    paused = models.BooleanField(default=False, help_text="The agent leaves this service alone.")
    maintenance_until = models.DateTimeField(null=True, blank=True)
    is_demo = models.BooleanField(default=False)
    stop_with_agentops = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def spec(self) -> ServiceSpec:
        """Return what runtimes, probers and sandboxes need to know."""
        return ServiceSpec(
            id=self.pk,
            slug=self.slug,
            runtime=self.runtime,
            directory=self.directory,
            command=tuple(self.command),
            host=self.host,
            port=self.port,
            health_path=self.health_path,
            timeout=self.timeout,
            slow_ms=self.slow_ms,
            editable_globs=tuple(self.editable_globs),
            data_globs=tuple(self.data_globs),
            environment=dict(self.environment),
            stop_with_agentops=self.stop_with_agentops,
        )

    @property
    def in_maintenance(self) -> bool:
        """Return whether a maintenance window is open now."""
        return self.maintenance_until is not None and self.maintenance_until > timezone.now()
