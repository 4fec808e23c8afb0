"""The bytes that are kept so that they can be put back: what was last good, and what a fault on purpose replaced."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from django.conf import settings
from django.db import models
from django.utils import timezone

from monitoring.models.service import Service
from monitoring.values import Tree


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
    leaves_rest = models.BooleanField(
        default=False,
        help_text="a part that did no harm was left in the files: putting everything back takes it out too",
    )

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.fault} in {self.service_id}"
