"""The console: what a manager does there is on the audit trail, and it opens no way to more power."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from teams import audit, tokens
from teams.access import may
from teams.models import ApiToken, AuditEntry, MatrixRow, User
from teams.roles import Role, Verb

pytestmark = pytest.mark.django_db


@pytest.fixture
def console(client: Client, maya: User) -> Client:
    """Return a client in which Maya is signed in."""
    client.force_login(maya)
    return client


def person_form(person: User, **changes: str) -> dict[str, str]:
    """Return the change form of a person as the browser would send it."""
    fields = ("email", "role", "display_name", "avatar_color", "time_zone")
    return {name: getattr(person, name) for name in fields} | {"is_active": "on"} | changes


@pytest.mark.parametrize("model", ["user", "matrixrow", "apitoken", "auditentry"])
def test_a_manager_opens_every_list(console: Client, model: str) -> None:
    audit.record(actor="system", verb="x", target="<i>y</i>")
    answer = console.get(f"/admin/teams/{model}/?q=a")
    assert answer.status_code == 200
    assert "<i>y</i>" not in answer.content.decode()


def test_the_others_do_not_enter_the_console(client: Client, shweta: User) -> None:
    client.force_login(shweta)
    sent_away = client.get("/admin/teams/user/")
    assert sent_away.status_code == 302
    told = client.get(sent_away["Location"])
    assert told.status_code == 403
    assert "The console is for managers; the team page shows who they are." in told.content.decode()


def test_the_console_has_no_sign_in_of_its_own(client: Client, maya: User) -> None:
    wanted = "/admin/teams/user/"
    asked = client.get(client.get(wanted)["Location"])
    assert asked["Location"] == f"/accounts/login/?next={wanted}"
    client.force_login(maya)
    assert client.get("/admin/login/")["Location"] == "/admin/"


def test_a_change_of_role_is_audited_and_gives_the_console(console: Client, yash: User) -> None:
    answer = console.post(f"/admin/teams/user/{yash.pk}/change/", person_form(yash, role="manager"))
    assert answer.status_code == 302
    yash.refresh_from_db()
    assert yash.role == Role.MANAGER
    assert yash.is_staff
    entry = AuditEntry.objects.get(verb="user.changed")
    assert entry.actor == "manager@example.com"
    assert entry.target_id == str(yash.pk)
    assert entry.before["role"] == "senior_dev"
    assert entry.after["role"] == "manager"
    assert entry.origin == "admin 127.0.0.1"


def test_an_invalid_time_zone_is_refused(console: Client, yash: User) -> None:
    answer = console.post(
        f"/admin/teams/user/{yash.pk}/change/", person_form(yash, time_zone="Nowhere")
    )
    assert "not a time zone" in answer.content.decode()
    assert not AuditEntry.objects.exists()


def test_a_manager_cannot_promote_themselves(console: Client, maya: User) -> None:
    console.post(
        f"/admin/teams/user/{maya.pk}/change/",
        person_form(maya, role="team_lead", is_superuser="on", groups="1"),
    )
    maya.refresh_from_db()
    assert maya.role == Role.MANAGER
    assert not maya.is_superuser


def test_nobody_is_deleted(console: Client, yash: User) -> None:
    assert console.post(f"/admin/teams/user/{yash.pk}/delete/").status_code == 403


def test_a_right_is_added_changed_and_deleted_on_record(
    console: Client, maya: User, bhumika: User
) -> None:
    form = {"role": "junior_dev", "verb": "approve", "up_to": "high", "service_slug": "blog"}
    console.post("/admin/teams/matrixrow/add/", form | {"granted": "on"})
    assert may(bhumika, "approve", severity="high", service="blog").allowed
    row = MatrixRow.objects.get(service_slug="blog")
    path = f"/admin/teams/matrixrow/{row.pk}/"
    console.post(f"{path}change/", form | {"granted": "on", "up_to": "low"})
    assert not may(bhumika, "approve", severity="high", service="blog").allowed
    console.post(f"{path}delete/", {"post": "yes"})
    entries = AuditEntry.objects.order_by("sequence")
    assert [entry.verb for entry in entries] == [
        "matrixrow.added",
        "matrixrow.changed",
        "matrixrow.deleted",
    ]
    assert (entries[1].before, entries[1].after) == ({"up_to": "high"}, {"up_to": "low"})
    assert entries[2].before["service_slug"] == "blog"
    assert audit.verify() == 3


def test_deleting_many_at_once_records_each(console: Client, matrix: None) -> None:
    chosen = list(MatrixRow.objects.filter(verb=Verb.VIEW).values_list("pk", flat=True))
    console.post(
        "/admin/teams/matrixrow/",
        {"action": "delete_selected", "_selected_action": chosen, "post": "yes"},
    )
    assert not MatrixRow.objects.filter(pk__in=chosen).exists()
    assert AuditEntry.objects.filter(verb="matrixrow.deleted").count() == len(chosen) == 5


def test_a_change_that_changes_nothing_is_not_recorded(console: Client, yash: User) -> None:
    console.post(f"/admin/teams/user/{yash.pk}/change/", person_form(yash))
    assert not AuditEntry.objects.exists()


def test_a_token_is_made_for_oneself_shown_once_and_revoked(
    console: Client, maya: User, shweta: User
) -> None:
    answer = console.post(
        "/admin/teams/apitoken/add/",
        {"name": "ci", "person": str(shweta.pk), "expires_0": "", "expires_1": ""},
        follow=True,
    )
    found = re.search(r"agentops_[\w-]{43}", answer.content.decode())
    assert found, "the token is not shown"
    assert tokens.person_for(found[0]) == maya, "a token of another would be their power"
    token = ApiToken.objects.get()
    again = console.get(f"/admin/teams/apitoken/{token.pk}/change/").content.decode()
    listed = console.get("/admin/teams/apitoken/").content.decode()
    for page in (again, listed):
        assert found[0] not in page
        assert token.token_hash not in page
    assert token.token_hash not in AuditEntry.objects.get(verb="apitoken.added").after_json
    console.post(
        "/admin/teams/apitoken/", {"action": "revoke", "_selected_action": [str(token.pk)]}
    )
    assert tokens.person_for(found[0]) is None
    assert AuditEntry.objects.filter(verb="token.revoked").count() == 1


def test_the_audit_trail_is_read_only(console: Client) -> None:
    entry = audit.record(actor="system", verb="x", target="y")
    path = f"/admin/teams/auditentry/{entry.pk}/"
    assert console.get(f"{path}change/").status_code == 200
    assert console.post(f"{path}change/", {"verb": "z"}).status_code == 403
    assert console.post(f"{path}delete/", {"post": "yes"}).status_code == 403
    assert console.get("/admin/teams/auditentry/add/").status_code == 403
    assert audit.verify() == 1


def test_groups_are_for_superusers(console: Client) -> None:
    assert console.get("/admin/auth/group/").status_code == 403
    assert Group.objects.filter(name="Managers").exists()


def test_times_in_the_console_say_their_zone(console: Client) -> None:
    audit.record(actor="system", verb="x", target="y")
    page = console.get("/admin/teams/auditentry/").content.decode()
    assert re.search(r"\d{1,2} \w{3} \d{4}, \d\d:\d\d UTC", page)
    assert "Audit trail entries" in page


def test_long_words_of_the_console_break(console: Client) -> None:
    entry = audit.record(actor="system", verb="x", target="y")
    page = console.get(f"/admin/teams/auditentry/{entry.pk}/change/").content.decode()
    assert "css/console.css" in page  # 64 letters of a hash would push a phone's page sideways


def test_the_console_calls_a_person_by_name(console: Client) -> None:
    assert re.search(r">\s*Maya\s*<", console.get("/admin/").content.decode())
