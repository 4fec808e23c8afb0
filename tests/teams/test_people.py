"""The person's own rules."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from teams.models import User
from teams.people import settle_role
from teams.roles import Role

pytestmark = pytest.mark.django_db


def test_addresses_are_kept_in_lower_case(matrix: None) -> None:
    person = User.objects.create_user("  New.Person@Example.COM ")
    person.refresh_from_db()
    assert person.email == "new.person@example.com"
    person.email = "Other@Example.com"
    person.save()
    assert User.objects.get_by_natural_key("OTHER@example.com") == person


def test_one_address_is_one_person_whatever_the_letter_case(yash: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("YASH@example.com")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=yash.pk).update(email="Yash@example.com")


def test_a_person_needs_an_address() -> None:
    with pytest.raises(ValueError, match="e-mail address"):
        User.objects.create_user("")


def test_only_real_time_zones_pass(yash: User) -> None:
    yash.time_zone = "Asia/Kolkata"
    yash.full_clean()
    yash.time_zone = "Kolkata"
    with pytest.raises(ValidationError, match="not a time zone"):
        yash.full_clean()


@pytest.mark.parametrize(
    ("name", "initials"), [("Ada Lovelace King", "AL"), ("yash", "Y"), ("", "YE")]
)
def test_initials_come_from_the_name_or_the_address(yash: User, name: str, initials: str) -> None:
    yash.display_name = name
    assert yash.initials == initials


def test_the_console_comes_and_goes_with_the_managers_role(maya: User) -> None:
    assert maya.is_staff
    assert maya.has_perm("teams.change_matrixrow")
    assert not maya.has_perm("teams.delete_user")
    maya.role = Role.SENIOR_DEV
    maya.save()
    settle_role(maya)
    stored = User.objects.get(pk=maya.pk)
    assert not stored.is_staff
    assert not stored.has_perm("teams.change_matrixrow")
