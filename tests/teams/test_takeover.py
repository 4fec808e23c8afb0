"""A manager tries to become somebody who approves: by password, address, token, flag, role, matrix or a crafted form."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client

from teams import audit
from teams.access import may, people_who_may
from teams.models import AuditEntry, MatrixRow, User
from teams.roles import Role
from tests.conftest import PASSWORD
from tests.teams.test_admin import person_form

pytestmark = pytest.mark.django_db

NEW = "quite-another-one-77"
BOTH = {"password1": NEW, "password2": NEW, "usable_password": "true"}


@pytest.fixture
def console(client: Client, maya: User) -> Client:
    """Return a client in which the manager is signed in."""
    client.force_login(maya)
    return client


def unchanged(person: User) -> bool:
    """Say whether the person can still sign in as before, and nobody else as them."""
    now = User.objects.get(pk=person.pk)
    same = (now.email, now.role, now.is_active) == (person.email, person.role, person.is_active)
    return same and now.check_password(PASSWORD) and not now.is_superuser


def test_a_manager_sets_nobodys_password(console: Client, shweta: User, maya: User) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    for person in (shweta, maya, root):
        path = f"/admin/teams/user/{person.pk}/password/"
        assert console.get(path).status_code == 403
        assert console.post(path, BOTH).status_code == 403
        assert User.objects.get(pk=person.pk).check_password(PASSWORD)
    page = console.get(f"/admin/teams/user/{shweta.pk}/change/").content.decode()
    assert "argon2" not in page
    assert f"/admin/teams/user/{shweta.pk}/password/" not in page


@pytest.mark.parametrize(
    "crafted",
    [
        {"email": "maya.private@example.org"},
        {"password": "argon2$argon2id$v=19$m=1,t=1,p=1$x$y"},
        BOTH,
        {"is_superuser": "on", "is_staff": "on", "groups": "1", "user_permissions": "1"},
        {"is_demo": "on", "id": "1", "pk": "1"},
        {"api_tokens-TOTAL_FORMS": "1", "api_tokens-INITIAL_FORMS": "0", "api_tokens-0-name": "x"},
        {"_saveasnew": "1", "email": "maya.private@example.org"},
    ],
)
def test_a_crafted_form_takes_no_account_over(
    console: Client, shweta: User, crafted: dict[str, str]
) -> None:
    console.post(f"/admin/teams/user/{shweta.pk}/change/", person_form(shweta, **crafted))
    assert unchanged(shweta)
    others = User.objects.exclude(pk=shweta.pk).exclude(role=Role.MANAGER)
    assert not any(person.has_usable_password() for person in others), "a new person at most"
    assert not shweta.api_tokens.exists()
    assert not shweta.groups.exists()
    assert not shweta.user_permissions.exists()


def test_the_link_for_a_new_password_goes_to_the_person_and_is_shown_to_nobody(
    console: Client, shweta: User
) -> None:
    chosen = {"action": "send_link", "_selected_action": [str(shweta.pk)]}
    page = console.post("/admin/teams/user/", chosen, follow=True).content.decode()
    (message,) = mail.outbox
    assert message.to == [shweta.email]
    link = re.search(r"/accounts/reset/\S+", str(message.body))
    assert link
    token = link[0].rstrip("/").rpartition("/")[2]
    entries = AuditEntry.objects.filter(verb="user.link_sent")
    assert [entry.actor for entry in entries] == ["manager@example.com"]
    assert token not in page
    assert not any(token in entry.after_json for entry in entries)
    assert unchanged(shweta)


def test_a_new_person_has_no_password_and_chooses_one_by_the_link(console: Client) -> None:
    page = console.get("/admin/teams/user/add/").content.decode()
    assert 'name="password1"' not in page
    given = {"email": "New@Example.com", "role": "senior_dev", "time_zone": "UTC"}
    answer = console.post("/admin/teams/user/add/", {**given, "display_name": "New", **BOTH})
    assert answer.status_code == 302, answer.context["errors"]
    person = User.objects.get(email="new@example.com")
    assert not person.has_usable_password()
    assert not person.is_staff
    link = re.search(r"http://testserver(/accounts/reset/\S+)", str(mail.outbox[0].body))
    assert link
    theirs = Client()
    path = theirs.get(link[1], follow=True).redirect_chain[-1][0]
    theirs.post(path, {"new_password1": NEW, "new_password2": NEW})
    assert User.objects.get(pk=person.pk).check_password(NEW)
    verbs = list(AuditEntry.objects.order_by("sequence").values_list("verb", flat=True))
    assert verbs == ["user.added", "user.link_sent", "user.password_reset"]
    assert "argon2" not in AuditEntry.objects.get(verb="user.added").after_json
    assert audit.verify() == 3


def test_a_manager_has_no_hands_on_a_superuser(console: Client) -> None:
    root = User.objects.create_superuser("root@example.com", PASSWORD)
    path = f"/admin/teams/user/{root.pk}/change/"
    assert console.post(path, person_form(root, role="viewer")).status_code == 403
    console.post("/admin/teams/user/", {"action": "send_link", "_selected_action": [str(root.pk)]})
    assert mail.outbox == []


@pytest.mark.parametrize("verb", ["approve", "override"])
@pytest.mark.parametrize("where", ["", "shop"])
def test_a_manager_gives_managers_no_right_to_let_a_fix_go_live(
    console: Client, maya: User, matrix: None, verb: str, where: str
) -> None:
    limit = "blocker" if verb == "approve" else ""
    given = {"role": "manager", "verb": verb, "up_to": limit, "service_slug": where}
    answer = console.post("/admin/teams/matrixrow/add/", {**given, "granted": "on"})
    assert "do not approve themselves" in answer.content.decode()
    row = MatrixRow.objects.filter(role=Role.SENIOR_DEV, verb="approve").get()
    console.post(f"/admin/teams/matrixrow/{row.pk}/change/", {**given, "granted": "on"})
    assert not may(maya, verb, severity="low", service="shop").allowed
    with pytest.raises(ValidationError):
        MatrixRow(role=Role.MANAGER, verb=verb, up_to=limit).clean()


def test_a_row_written_past_the_form_gives_managers_nothing(maya: User, matrix: None) -> None:
    MatrixRow.objects.create(role=Role.MANAGER, verb="approve", up_to="blocker")
    assert not may(maya, "approve", severity="low").allowed
    assert maya not in people_who_may("approve", severity="low")


def test_a_role_is_configuration_and_on_record_but_never_ones_own(
    console: Client, yash: User, maya: User
) -> None:
    console.post(f"/admin/teams/user/{yash.pk}/change/", person_form(yash, role="team_lead"))
    entry = AuditEntry.objects.get(verb="user.changed")
    assert (entry.actor, entry.before, entry.after) == (
        maya.email,
        {"role": "senior_dev"},
        {"role": "team_lead"},
    )
    for role in ("team_lead", "senior_dev", "viewer"):
        console.post(f"/admin/teams/user/{maya.pk}/change/", person_form(maya, role=role))
        assert User.objects.get(pk=maya.pk).role == Role.MANAGER


def test_the_profile_page_changes_neither_role_nor_address(client: Client, maya: User) -> None:
    client.force_login(maya)
    crafted: dict[str, Any] = {"role": "team_lead", "email": "shweta@example.com", **BOTH}
    shown = {"display_name": "Maya", "time_zone": "UTC", "avatar_color": "avatar-1"}
    client.post("/accounts/profile/", {**shown, **crafted, "is_superuser": "on"})
    assert unchanged(maya)
