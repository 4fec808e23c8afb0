"""API tokens: 256 random bits, kept only as a hash, and the way in for django-ninja."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, cast

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from ninja.security import HttpBearer

from teams import access, audit
from teams.models import ApiToken, User
from teams.roles import Verb

MARK = "agentops_"
PREFIX_LENGTH = len(MARK) + 6
USE_NOTED_EVERY = timedelta(minutes=5)  # a write for every call would cost more than the call


def issue(
    person: User, name: str, *, actor: User | str | None = None, expires: datetime | None = None
) -> str:
    """Make a token for the person and return its text: the only time that it can be read."""
    text = MARK + secrets.token_urlsafe(32)
    with transaction.atomic():
        token = ApiToken.objects.create(
            name=name,
            person=person,
            prefix=text[:PREFIX_LENGTH],
            token_hash=_hash(text),
            expires=expires,
        )
        audit.record(
            actor=actor or person,
            verb="token.issued",
            target=token,
            after={
                "name": name,
                "person": person.email,
                "prefix": token.prefix,
                "expires": expires,
            },
        )
    return text


def person_for(token: str, *, now: datetime | None = None) -> User | None:
    """Return the active person whose valid token this is, else None: one query."""
    now = now or timezone.now()
    found = (
        ApiToken.objects.select_related("person")
        .filter(token_hash=_hash(token), person__is_active=True)
        .first()
    )
    if found is None or not found.is_valid(now):
        return None
    if found.last_used is None or found.last_used < now - USE_NOTED_EVERY:
        unnoted = Q(last_used=None) | Q(last_used__lt=now - USE_NOTED_EVERY)
        ApiToken.objects.filter(unnoted, pk=found.pk).update(last_used=now)
    return found.person


class BearerAuth(HttpBearer):
    """Lets django-ninja sign a call in by `Authorization: Bearer TOKEN`; ninja answers 401 JSON otherwise."""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """Return the person, who then also stands in `request.user` and `request.auth`."""
        person = person_for(token)
        if person is not None:
            request.user = person
        return person


def require(
    request: HttpRequest, verb: Verb | str, *, severity: str = "", service: str = ""
) -> User:
    """Return the caller of an API call who may do this; raise `AccessRefused` (403 JSON) otherwise."""
    access.require(request.user, verb, severity=severity, service=service)
    return cast(User, request.user)


def answer_refused(request: HttpRequest, refused: Any) -> HttpResponse:
    """Answer 403 with the reason and the needed role; register it: `api.add_exception_handler(AccessRefused, ...)`."""
    ruling: access.Ruling = refused.ruling
    return JsonResponse({"detail": ruling.reason, "needed_role": ruling.needed_role}, status=403)


def _hash(token: str) -> str:
    # No salt, no stretching: the token has 256 random bits, so there is nothing to guess.
    return hashlib.sha256(token.encode()).hexdigest()
