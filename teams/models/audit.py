"""The rows of the audit trail. Writing and verifying them: `teams/audit.py`."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC
from typing import Any, ClassVar, NoReturn

from django.db import models


class AuditIsAppendOnly(RuntimeError):
    """Somebody tried to change or remove an entry of the audit trail."""


class AppendOnlyQuerySet(models.QuerySet["AuditEntry"]):
    """A query set that can read and add, nothing else."""

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AuditIsAppendOnly("The audit trail is append-only.")

    update = _refuse
    delete = _refuse
    bulk_update = _refuse
    bulk_create = _refuse
    update_or_create = _refuse


class AuditEntry(models.Model):
    """One thing that somebody did. `hash` covers every field and the hash of the entry before."""

    sequence = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField(db_index=True)
    # Text and a bare number, no foreign key: removing a person must not change what was hashed.
    actor = models.CharField(max_length=254)
    actor_id = models.BigIntegerField(null=True)
    verb = models.CharField(max_length=60, db_index=True)
    target_type = models.CharField(max_length=100)
    target_id = models.CharField(max_length=64)
    target = models.CharField(max_length=200)
    # Canonical JSON as text: jsonb would rewrite numbers, and the hash would no longer fit.
    before_json = models.TextField()
    after_json = models.TextField()
    origin = models.CharField(max_length=200)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    seal = models.CharField(max_length=64)

    objects: ClassVar[models.Manager[AuditEntry]] = models.Manager.from_queryset(
        AppendOnlyQuerySet
    )()

    class Meta:
        ordering = ["-sequence"]
        verbose_name = "audit entry"
        verbose_name_plural = "audit trail entries"
        indexes = [models.Index(fields=["target_type", "target_id"], name="audit_by_target")]

    def __str__(self) -> str:
        return f"#{self.sequence} {self.actor} {self.verb} {self.target}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the entry; raise `AuditIsAppendOnly` when it is there already."""
        if not self._state.adding:
            raise AuditIsAppendOnly("An audit entry is never changed.")
        super().save(*args, **(kwargs | {"force_insert": True}))

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse."""
        raise AuditIsAppendOnly("An audit entry is never deleted.")

    @property
    def before(self) -> Any:
        """Return the state before, None when there was none."""
        return json.loads(self.before_json)

    @property
    def after(self) -> Any:
        """Return the state after, None when there is none."""
        return json.loads(self.after_json)

    def digest(self) -> str:
        """Return the SHA-256 (hex) over the canonical JSON of all fields but `hash` and `seal`."""
        fields = {
            "sequence": self.sequence,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "actor": self.actor,
            "actor_id": self.actor_id,
            "verb": self.verb,
            "target_type": self.target_type,
            "target_id": self.target_id,
            "target": self.target,
            "before": self.before_json,
            "after": self.after_json,
            "origin": self.origin,
            "previous_hash": self.previous_hash,
        }
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


class AuditHead(models.Model):
    """How long the trail is and the hash at its end: without it, entries cut off the end would not be missed."""

    count = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.count} entries"
