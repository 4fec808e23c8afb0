"""Notifications in the product: each person is told each thing once."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse

from incidents.models import Incident, Notification
from monitoring.realtime import publish
from teams.models import User


def tell(people: Iterable[User], *, incident: Incident, kind: str, text: str, key: str) -> int:
    """Tell each person once; a repeated `key` for the same person is dropped. Returns how many rows are new."""
    link = reverse("incidents:incident", args=[incident.pk])
    rows = [
        Notification(
            person=person,
            incident=incident,
            kind=kind,
            severity=incident.severity,
            text=text[:400],
            link=link,
            key=key[:120],
        )
        for person in people
    ]
    known = Notification.objects.count()
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    publish("bell", {"people": [row.person_id for row in rows]})
    return Notification.objects.count() - known
