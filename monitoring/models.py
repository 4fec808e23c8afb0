"""What is watched, how it is, and what it was when it was last good."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

from monitoring.minutes import ProbeMinute, ResourceMinute
from monitoring.standing import FAILING
from monitoring.values import Health, ServiceSpec, Symptom, Tree

__all__ = [
    "Blob",
    "FaultInjection",
    "HealthChange",
    "ProbeMinute",
    "RecordedExchange",
    "ResourceMinute",
    "Service",
    "ServiceHealth",
    "Snapshot",
]


def _choices(enum: type[Health] | type[Symptom]) -> list[tuple[str, str]]:
    return [(member.value, member.value.replace("_", " ")) for member in enum]


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

    interval = models.FloatField(
        default=settings.MONITOR_INTERVAL, validators=[MinValueValidator(0.5)]
    )
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
    auto_threshold = models.FloatField(default=settings.AUTO_FIX_THRESHOLD)
    escalation_threshold = models.FloatField(default=settings.ESCALATION_THRESHOLD)
    limit_per_fingerprint = models.PositiveIntegerField(default=3)
    limit_per_service = models.PositiveIntegerField(default=6)
    watch_seconds = models.FloatField(default=settings.WATCH_WINDOW_SECONDS)
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


class Blob(models.Model):
    """Bytes by their digest: last known good files, kept files of deployments, proposed files."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    data = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.sha256[:12]

    @staticmethod
    def digest(data: bytes) -> str:
        """Return the name of some bytes: their sha256 in hex."""
        return hashlib.sha256(data).hexdigest()

    @classmethod
    def keep(cls, tree: Mapping[str, bytes]) -> dict[str, str]:
        """Store every file's bytes once and return path -> sha256."""
        manifest = {path: cls.digest(data) for path, data in tree.items()}
        rows = [Blob(sha256=manifest[path], data=data) for path, data in tree.items()]
        Blob.objects.bulk_create(rows, ignore_conflicts=True)
        return manifest

    @classmethod
    def read(cls, manifest: Mapping[str, str]) -> dict[str, bytes]:
        """Return path -> bytes for a manifest; raise KeyError when a blob is missing."""
        found = cls.objects.in_bulk(set(manifest.values()))
        return {path: bytes(found[sha].data) for path, sha in manifest.items()}


class Snapshot(models.Model):
    """A state of a service's files and environment that was seen healthy."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="snapshots")
    digest = models.CharField(max_length=64)
    manifest = models.JSONField(default=dict)
    environment = models.JSONField(default=dict)
    reason = models.CharField(max_length=40, default="healthy")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.service_id} {self.digest[:12]}"

    def tree(self) -> Tree:
        """Return the exact bytes of every file."""
        return Blob.read(self.manifest)


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


class FaultInjection(models.Model):
    """A fault that a person put into a service on purpose, and its way back."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="injections")
    fault = models.CharField(max_length=40)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now)
    kept = models.JSONField(
        default=dict, help_text="path -> sha256 before the fault, null for new files"
    )
    restored_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.fault} in {self.service_id}"
