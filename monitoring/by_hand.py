"""Requests that a person sends by hand: to the service's own address, judged by role, on record."""

from __future__ import annotations

import json
import unicodedata

from django.db import transaction

from monitoring import live, recorder
from monitoring.live import Panel
from monitoring.models import Service
from monitoring.values import HttpRequest
from teams import access, audit
from teams.models import User
from teams.roles import Verb

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
READS = frozenset({"GET", "HEAD"})
SOURCE = "live"
LONGEST_PATH, LONGEST_BODY = 1000, 20_000
TIMEOUT = 10.0


class BadRequest(ValueError):
    """What was typed is no request that may be sent; the message says why."""


def verb_for(method: str) -> Verb:
    """Return the right that a method needs."""
    return Verb.SEND_READ if method in READS else Verb.SEND_WRITE


def request_from(*, method: str, path: str, body: str) -> HttpRequest:
    """Return the typed request; raises BadRequest.

    Only a path is taken: the address is the registered service's, so nothing else inside the network can be asked.
    """
    method, path = method.strip().upper(), path.strip()
    if method not in METHODS:
        raise BadRequest(f"The method is one of {', '.join(METHODS)}.")
    if not path.startswith("/") or path.startswith("//"):
        raise BadRequest("The path starts with one /; a whole address is not taken.")
    if len(path) > LONGEST_PATH or any(_is_unsafe(letter) for letter in path):
        raise BadRequest(
            "The path is too long, or holds blanks, backslashes or control characters."
        )
    if method in READS:
        return HttpRequest(method=method, path=path, headers={"accept": "application/json"})
    return HttpRequest(
        method=method,
        path=path,
        headers={"accept": "application/json", "content-type": "application/json"},
        body=_body(body),
    )


def send(service: Service, request: HttpRequest, user: User, *, origin: str) -> Panel:
    """Send a request for a person and return what came back; raises AccessRefused.

    A write is in the audit trail before it goes out: one that killed the service must not be missing there.
    """
    verb = verb_for(request.method)
    access.require(user, verb, service=service.slug)
    if verb is Verb.SEND_WRITE:
        with transaction.atomic():
            audit.record(
                actor=user,
                verb=verb,
                target=service,
                after={"method": request.method, "path": request.path},
                origin=origin,
            )
    answer = recorder.send(
        service=service, request=request, source=SOURCE, user=user.email, timeout=TIMEOUT
    )
    return live.panel("Sent by hand", request, answer)


def _body(text: str) -> bytes:
    if len(text) > LONGEST_BODY:
        raise BadRequest(f"The body has more than {LONGEST_BODY} characters.")
    if not text.strip():
        return b""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is no JSON: {error}.") from error
    return text.encode("utf-8", "replace")


def _is_unsafe(letter: str) -> bool:
    return letter in "\\#" or letter.isspace() or unicodedata.category(letter) in ("Cc", "Cs", "Cf")
