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
    person: User,
    name: str,
    *,
    actor: User | str | None = None,
    expires: datetime | None = None,
    origin: str = "",
) -> str:
    """Make a token for the person and return its text: the only time that it can be read."""
    token = ApiToken(name=name, person=person, expires=expires)
    text = fill(token)
    with transaction.atomic():
        token.save()
        audit.record(
            actor=actor or person,
            verb="token.issued",
            target=token,
            origin=origin,
            after={
                "name": name,
                "person": person.email,
                "prefix": token.prefix,
                "expires": expires,
            },
        )
    return text


def fill(token: ApiToken) -> str:
    """Give an unsaved row its secret and return the text."""
    text = MARK + secrets.token_urlsafe(32)
    token.prefix, token.token_hash = text[:PREFIX_LENGTH], _hash(text)
    return text


def revoke(token: ApiToken, *, actor: User, origin: str = "") -> bool:
    """End a token at once; return False when it had ended before."""
    with transaction.atomic():
        ended = token.revoke(now=timezone.now())
        if ended:
            audit.record(actor=actor, verb="token.revoked", target=token, origin=origin)
    return ended


def person_for(token: str, *, now: datetime | None = None) -> User | None:
    """Return the active person whose valid token this is, else None: one query."""
    now = now or timezone.now()
    found = ApiToken.objects.select_related("person").filter(token_hash=_hash(token)).first()
    if found is None or not found.is_valid(now) or not found.person.is_admitted:
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
