"""Password sign-in and the check that every request makes of its session's person."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser

from teams.models import User


class PeopleBackend(ModelBackend):
    """Django's own backend, for which the demo people exist in demo mode only."""

    def user_can_authenticate(self, user: User | AnonymousUser | None) -> bool:
        """Tell whether the person is active and, when of the demo cast, whether this is a demo.

        A data folder that was first used for a demo keeps those well-known passwords: they must open nothing later.
        """
        if isinstance(user, User) and not user.is_admitted:
            return False
        return bool(super().user_can_authenticate(user))


PATH = f"{PeopleBackend.__module__}.{PeopleBackend.__qualname__}"
