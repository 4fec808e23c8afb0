"""The timeline of an incident: the one way to add to it, which also tells the open pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from incidents.models import Incident, TimelineEntry
from monitoring.realtime import publish
from monitoring.values import storable

AGENT = "AgentOps"


def note(  # noqa: PLR0913 - three short facts and three optional ones; a value class would only be unpacked
    incident: Incident,
    kind: str,
    text: str,
    *,
    actor: str = AGENT,
    started: datetime | None = None,
    data: dict[str, Any] | None = None,
) -> TimelineEntry:
    """Add what happened and, once committed, let the open pages re-read the incident.

    `started` is when it began; the duration is counted from there to now.
    """
    now = timezone.now()
    entry = TimelineEntry.objects.create(
        incident=incident,
        at=now,
        kind=kind,
        actor=actor,
        text=storable(text),
        duration_ms=None if started is None else int((now - started).total_seconds() * 1000),
        data=data or {},
    )
    tell(incident)
    return entry


def tell(incident: Incident) -> None:
    """Let the open pages re-read the incident once the current transaction has committed."""
    publish("incident", {"id": incident.pk, "service": incident.service_id})
