"""Arguments of commands that name a service or a person."""

from __future__ import annotations

from django.core.management.base import CommandError

from monitoring.models import Service
from teams.access import may
from teams.models import User
from teams.roles import Verb


def named_service(slug: str) -> Service:
    """Return a service by its slug. Raises CommandError that lists the known ones."""
    service = Service.objects.filter(slug=slug).first()
    if service is None:
        known = ", ".join(Service.objects.values_list("slug", flat=True)) or "none"
        raise CommandError(f"There is no service {slug!r}. Known: {known}.")
    return service


def acting(email: str | None, verb: Verb, service: Service) -> User | None:
    """Return the person to act for, None without one. Raises CommandError for nobody, or who may not."""
    if not email:
        return None
    person = User.objects.filter(email=email.strip().lower()).first()
    if person is None:
        raise CommandError(f"There is no person with the e-mail address {email}.")
    ruling = may(person, verb, service=service.slug)
    if not ruling.allowed:
        raise CommandError(ruling.reason)
    return person
