"""Leaving a record out of learning, and taking it back in: by a manager, with a reason, on record."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from incidents.models import LearningRecord
from incidents.pipeline.gates import Conflict
from incidents.states import BadInput
from teams import access, audit
from teams.models import User
from teams.roles import Verb


def exclude(*, record: LearningRecord, person: User, reason: str, now: datetime) -> None:
    """Let a record no longer count; every later score leaves it out."""
    reason = reason.strip()
    if not reason:
        raise BadInput("Say why this record should not count.")
    fields = {"excluded_at": now, "excluded_by": person, "excluded_reason": reason[:2000]}
    _change(record, person, "learning.excluded", fields, reason=reason)


def include(*, record: LearningRecord, person: User) -> None:
    """Let an excluded record count again."""
    fields = {"excluded_at": None, "excluded_by": None, "excluded_reason": ""}
    _change(record, person, "learning.included", fields, reason="")


def _change(
    record: LearningRecord, person: User, verb: str, fields: Mapping[str, object], *, reason: str
) -> None:
    access.require(person, Verb.EXCLUDE_LEARNING)
    excluding = fields["excluded_at"] is not None
    with transaction.atomic():
        fitting = LearningRecord.objects.filter(pk=record.pk, excluded_at__isnull=excluding)
        if not fitting.update(**fields):
            raise Conflict("Somebody was first; look again.")
        audit.record(actor=person, verb=verb, target=record, after={"reason": reason})
