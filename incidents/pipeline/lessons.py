"""What past outcomes say about a fix: the read behind the learning term of the score."""

from __future__ import annotations

from incidents.confidence import Lesson
from incidents.models import Fix, Incident, LearningRecord

SAME_CAUSE, SAME_KIND = 1.0, 0.25
RECENT = 50
FADES = 0.97


def similar_to(incident: Incident, fix: Fix | None) -> list[Lesson]:
    """Return the recent outcomes that speak about this case, the same cause counting most, older ones less."""
    if fix is None:
        return []
    rows = LearningRecord.objects.filter(
        category=incident.category, held__isnull=False, excluded_at=None
    ).exclude(incident=incident)[:RECENT]
    return [
        Lesson(held=bool(row.held), weight=_weight(row, incident, fix) * FADES**age)
        for age, row in enumerate(rows)
    ]


def _weight(row: LearningRecord, incident: Incident, fix: Fix) -> float:
    if row.fingerprint == incident.fingerprint:
        return SAME_CAUSE
    same_way = row.fix_kind == kind_of(fix) and row.service_slug == incident.service.slug
    return SAME_KIND * (2 if same_way else 1)


def kind_of(fix: Fix) -> str:
    """Return how a fix works, e.g. `revert` or `edit+restart`."""
    return "+".join(sorted({action["kind"] for action in fix.actions})) or "nothing"
