"""The demo people: they exist in demo mode only, and signing in as one takes a click."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest

from teams.models import User
from teams.people import settle_role
from teams.roles import ROLE_WORDS, Role


class NotInDemoMode(RuntimeError):
    """Demo people were asked for although this is no demo."""


@dataclass(frozen=True, kw_only=True)
class DemoPerson:
    """One of the cast, as the sign-in page shows it."""

    email: str
    name: str
    title: Role
    color: str

    @property
    def role(self) -> str:
        """Return the role in words."""
        return ROLE_WORDS[self.title]

    @property
    def initials(self) -> str:
        """Return the first letter."""
        return self.name[0]


CAST = (
    DemoPerson(email="shweta@example.com", name="Shweta", title=Role.TEAM_LEAD, color="avatar-3"),
    DemoPerson(email="yash@example.com", name="Yash", title=Role.SENIOR_DEV, color="avatar-1"),
    DemoPerson(
        email="bhumika@example.com", name="Bhumika", title=Role.JUNIOR_DEV, color="avatar-5"
    ),
    DemoPerson(email="manager@example.com", name="Maya", title=Role.MANAGER, color="avatar-2"),
)


def seed_people(password: str) -> list[User]:
    """Make the demo people that are missing and return all four; those who exist stay as they are.

    Raises `NotInDemoMode` outside demo mode: well-known accounts must never reach a real installation.
    """
    if not settings.DEMO_MODE:
        raise NotInDemoMode("Demo people are made in demo mode only (AGENTOPS_DEMO=1).")
    with transaction.atomic():
        return [_seeded(person, password) for person in CAST]


def _seeded(person: DemoPerson, password: str) -> User:
    found = User.objects.filter(email=person.email).first()
    if found is not None:
        return found
    made = User.objects.create_user(
        person.email,
        password,
        role=person.title,
        display_name=person.name,
        avatar_color=person.color,
        is_demo=True,
    )
    settle_role(made)
    return made


def offered(request: HttpRequest) -> tuple[DemoPerson, ...]:
    """Return whom the sign-in page offers by one click: nobody unless this is a demo on this very machine."""
    return CAST if settings.DEMO_MODE and _from_this_machine(request) else ()


def _from_this_machine(request: HttpRequest) -> bool:
    # A proxy in front makes every visitor look local; its headers give it away.
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
