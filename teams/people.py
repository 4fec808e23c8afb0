"""Changes of a person that touch more than one row."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import transaction

from teams.models import User
from teams.roles import Role

MANAGERS = "Managers"


def settle_role(person: User) -> None:
    """Give the console (staff, group "Managers") to a manager and take it from everybody else.

    Call it inside the transaction that stored `person.role`. Superusers keep the console whatever their role.
    """
    managers, _ = Group.objects.get_or_create(name=MANAGERS)
    is_manager = person.role == Role.MANAGER
    with transaction.atomic():
        if is_manager:
            person.groups.add(managers)
        else:
            person.groups.remove(managers)
        User.objects.filter(pk=person.pk).update(is_staff=is_manager or person.is_superuser)
    person.is_staff = is_manager or person.is_superuser
