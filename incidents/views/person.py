"""Who is asking."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest

from teams.models import User


def person_of(request: HttpRequest) -> User:
    """Return the signed-in person; `needs` stands before every view that calls this."""
    return cast(User, request.user)
