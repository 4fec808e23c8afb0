"""Says that an incident opened: to the team's channels, and to those who chose to hear of it before anything is asked."""

from __future__ import annotations

from incidents.alerts import notify
from incidents.models import Incident, Kind
from teams import access
from teams.roles import Verb


def tell_opened(incident: Incident) -> int:
    """Tell whoever may look at it and wants to know; return how many people were told."""
    return notify.tell(
        access.people_who_may(Verb.VIEW, service=incident.service.slug),
        incident=incident,
        kind=Kind.OPENED,
        text=f"Opened: {incident.title}",
        key=f"opened:{incident.pk}",
    )
