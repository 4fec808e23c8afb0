"""Whether the people behind open sockets may still be there: asked on a beat and when somebody signs out."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.sessions.models import Session
from django.utils import timezone

from incidents.consumers.client import READ_AGAIN, SIGNED_OUT, Identity
from teams.models import User


def verdicts(identities: Iterable[Identity]) -> dict[Identity, int]:
    """Return the code to close with for each who may not stay; two queries for any number of sockets.

    Signed out, expired, deactivated or with a new password: signed out. Another role or time zone: read again.
    """
    asked = set(identities)
    people = User.objects.in_bulk({identity.person for identity in asked})
    keys = {identity.session for identity in asked}
    living = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    sessions = set(living.values_list("session_key", flat=True))
    found = {
        identity: _verdict(identity, people.get(identity.person), sessions) for identity in asked
    }
    return {identity: code for identity, code in found.items() if code}


def _verdict(identity: Identity, person: User | None, sessions: set[str]) -> int:
    if person is None or not person.is_admitted or identity.session not in sessions:
        return SIGNED_OUT
    if person.get_session_auth_hash() != identity.auth_hash:
        return SIGNED_OUT
    same = (person.role, person.time_zone) == (identity.role, identity.time_zone)
    return 0 if same else READ_AGAIN
