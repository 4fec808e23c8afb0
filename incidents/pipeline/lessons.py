"""What past outcomes say about a fix: what the decision asks for the learning term of its score."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from incidents.confidence import Lesson
from incidents.models import Fix, Incident
from incidents.queries import lessons


def similar_to(incident: Incident, fix: Fix | None, *, now: datetime | None = None) -> list[Lesson]:
    """Return the outcomes that speak about this incident's fix, none when there is no fix."""
    if fix is None:
        return []
    case = lessons.case_of(incident, fix)
    return lessons.lessons_for(case, now=now or timezone.now(), without=incident.pk)
