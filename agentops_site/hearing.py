"""What of the spoken alerts one person may hear, wants to hear, and has not heard yet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from agentops_site import speaking
from agentops_site.models import Speech, VoicePreference
from incidents.states import WAITING
from incidents.values import Severity
from teams.access import may
from teams.models import User
from teams.roles import Verb

LEVELS = (Severity.HIGH, Severity.CRITICAL, Severity.BLOCKER)
FRESH = timedelta(minutes=3)
"""How long an alert plays by itself: an hour later nobody wants to be startled by it."""
OFFERED = timedelta(hours=12)
"""How long one that still waits is offered on every page."""


def may_hear(person: User) -> QuerySet[Speech]:
    """Return what was said to all and to this person, the newest first."""
    return Speech.objects.filter(Q(person=None) | Q(person=person))


def wish_of(person: User) -> VoicePreference:
    """Return what the person wants to hear; the defaults when they never said."""
    found = VoicePreference.objects.filter(person=person).first()
    return found or VoicePreference(person=person)


def unheard(person: User) -> dict[str, Any] | None:
    """Return the newest alert that waits, that the person may and wants to hear and has not heard; three queries at most."""
    wish = wish_of(person)
    if wish.muted:
        return None
    row = (
        Speech.objects.filter(
            kind=Speech.Kind.ALERT,
            person=None,
            pk__gt=wish.heard,
            severity__in=_loud(wish),
            ready_at__gt=timezone.now() - OFFERED,
            incident__status__in=WAITING,
        )
        .order_by("-pk")
        .first()
    )
    return player(row, wish) if row and may(person, Verb.VIEW).allowed else None


def heard(person: User, row: Speech) -> None:
    """Remember that the person heard this one; an older one does not bring the newer back."""
    VoicePreference.objects.get_or_create(person=person)
    VoicePreference.objects.filter(person=person, heard__lt=row.pk).update(heard=row.pk)


def _loud(wish: VoicePreference) -> list[str]:
    lowest = Severity(wish.lowest)
    return [level.value for level in LEVELS if level.rank >= lowest.rank]


def player(row: Speech, wish: VoicePreference) -> dict[str, Any]:
    """Return what components/player.html needs, with when and why."""
    fresh = row.ready_at is not None and row.ready_at > timezone.now() - FRESH
    return {
        "id": f"speech-{row.pk}",
        "pk": row.pk,
        "src": speaking.address(row.audio),
        "title": row.title,
        "script": row.script,
        "severity": row.severity,
        "link": row.link,
        "note": row.note,
        "at": row.created_at,
        "auto": fresh and not wish.muted,
        "heard_url": reverse("voice_heard", args=[row.pk]),
    }
