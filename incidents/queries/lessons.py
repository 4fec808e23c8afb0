"""Which past outcomes speak about a case, and how much each says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from incidents.confidence import Lesson
from incidents.models import Fix, Incident, LearningRecord

SAME_CAUSE, SAME_WAY, SAME_CATEGORY = 1.0, 0.5, 0.25
PERSONS_WORD = 0.5
"""A person's no says that a fix was not wanted; an outcome says that it did not work, and counts twice as much."""
HALF_LIFE_DAYS = 45.0
MOST = 200


@dataclass(frozen=True, kw_only=True)
class Case:
    """What a later fix is compared by."""

    fingerprint: str
    category: str
    fix_kind: str
    service_slug: str


def case_of(incident: Incident, fix: Fix) -> Case:
    """Return the case of an incident's fix."""
    return Case(
        fingerprint=incident.fingerprint,
        category=incident.category,
        fix_kind=kind_of(fix),
        service_slug=incident.service.slug,
    )


def kind_of(fix: Fix) -> str:
    """Return how a fix works, e.g. `revert` or `edit+restart`."""
    return "+".join(sorted({action["kind"] for action in fix.actions})) or "nothing"


def lessons_for(case: Case, *, now: datetime, without: int | None = None) -> list[Lesson]:
    """Return the outcomes that speak about a case: one query, the latest 200.

    The same cause counts 1, the same kind of fix on the same service 0.5, the same kind of failure 0.25; each halves
    in 45 days. `without` leaves out an incident: nothing learns from itself.
    """
    alike = Q(category=case.category) | Q(fingerprint=case.fingerprint)
    rows = LearningRecord.objects.filter(alike, held__isnull=False, excluded_at=None)
    return [
        weighed(row, case, now) for row in rows.exclude(incident=without).order_by("-id")[:MOST]
    ]


def weighed(row: LearningRecord, case: Case, now: datetime) -> Lesson:
    """Return what one settled record says about a case."""
    return Lesson(
        held=bool(row.held),
        weight=round(closeness(row, case) * recency(row, now) * _voice(row), 6),
        same_cause=row.fingerprint == case.fingerprint,
    )


def closeness(row: LearningRecord, case: Case) -> float:
    """Return how much a record's case resembles another."""
    if row.fingerprint == case.fingerprint:
        return SAME_CAUSE
    same_way = row.fix_kind == case.fix_kind and row.service_slug == case.service_slug
    return SAME_WAY if same_way else SAME_CATEGORY


def recency(row: LearningRecord, now: datetime) -> float:
    """Return 1 for a record of now, half for one of 45 days ago."""
    days = max((now - row.at).total_seconds(), 0) / 86_400
    return float(0.5 ** (days / HALF_LIFE_DAYS))


def _voice(row: LearningRecord) -> float:
    return 1.0 if row.kind in LearningRecord.OUTCOMES else PERSONS_WORD
