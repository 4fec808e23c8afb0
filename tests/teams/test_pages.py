"""The team page, one's own settings and the answer to a refusal."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from teams.models import AuditEntry, MatrixRow, User
from teams.roles import Role, Verb

pytestmark = pytest.mark.django_db

PROFILE = "/accounts/profile/"
GOOD = {"display_name": "Yash K.", "time_zone": "Asia/Kolkata", "avatar_color": "avatar-4"}


def test_the_team_page_shows_people_badges_and_what_each_may_approve(
    client: Client, shweta: User, yash: User, bhumika: User, maya: User
) -> None:
    client.force_login(yash)
    team = client.get("/team/").context["team"]
    shown = [(profile.person.name, profile.role, profile.approves) for profile in team.profiles]
    assert shown == [
        ("Shweta", "Team lead", "Approves everything"),
        ("Yash", "Senior dev", "Approves up to medium"),
        ("Bhumika", "Junior dev", "Approves up to low"),
        ("Maya", "Manager", "Does not approve"),
    ]


def test_the_team_page_shows_the_stored_matrix(client: Client, yash: User) -> None:
    MatrixRow.objects.filter(role=Role.JUNIOR_DEV, verb=Verb.APPROVE).update(up_to="high")
    MatrixRow.objects.create(
        role=Role.SENIOR_DEV, verb=Verb.APPROVE, up_to="blocker", service_slug="blog"
    )
    client.force_login(yash)
    answer = client.get("/team/")
    approve = next(line for line in answer.context["team"].lines if line.verb == "Approve")
    assert [right for right, _ in approve.cells] == [
        "everything",
        "up to medium",
        "up to high",
        "no",
        "no",
    ]
    assert len(answer.context["team"].lines) == len(Verb)
    assert "Senior dev may approve up to blocker on blog" in answer.content.decode()


def test_the_team_page_costs_the_same_for_few_and_for_many(
    client: Client, yash: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client.force_login(yash)
    client.get("/team/")
    with django_assert_max_num_queries(13) as few:
        client.get("/team/")
    for number in range(20):
        User(email=f"dev{number}@example.com", role=Role.JUNIOR_DEV).save()
    with django_assert_max_num_queries(13) as many:
        client.get("/team/")
    assert len(few) == len(many)


def test_names_are_escaped(client: Client, yash: User) -> None:
    User.objects.filter(pk=yash.pk).update(display_name="<script>alert(1)</script>")
    client.force_login(yash)
    for path in ("/team/", PROFILE):
        page = client.get(path).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page


def test_a_viewer_sees_the_team_and_their_settings(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    assert client.get("/team/").status_code == 200
    assert client.get(PROFILE).status_code == 200


def test_settings_are_stored_and_audited(client: Client, yash: User) -> None:
    client.force_login(yash)
    assert client.post(PROFILE, GOOD).headers["Location"] == PROFILE
    yash.refresh_from_db()
    assert (yash.display_name, yash.time_zone, yash.avatar_color) == tuple(GOOD.values())
    entry = AuditEntry.objects.get(verb="user.profile_changed")
    assert entry.before["display_name"] == "Yash"
    assert entry.after == GOOD
    assert entry.origin == "page 127.0.0.1"


@pytest.mark.parametrize(
    "bad",
    [
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"avatar_color": "red"},
        {"display_name": "x" * 81},
    ],
)
def test_bad_settings_are_refused_and_change_nothing(
    client: Client, yash: User, bad: dict[str, str]
) -> None:
    client.force_login(yash)
    answer = client.post(PROFILE, GOOD | bad)
    assert answer.status_code == 200
    assert answer.context["form"].errors.keys() == bad.keys()
    yash.refresh_from_db()
    assert yash.time_zone == "UTC"
    assert not AuditEntry.objects.exists()


def test_the_form_changes_no_role(client: Client, bhumika: User) -> None:
    client.force_login(bhumika)
    client.post(PROFILE, GOOD | {"role": "team_lead", "is_staff": "1", "is_superuser": "1"})
    bhumika.refresh_from_db()
    assert (bhumika.role, bhumika.is_staff, bhumika.is_superuser) == ("junior_dev", False, False)


def test_a_refusal_says_why_on_a_page(client: Client, bhumika: User, shweta: User) -> None:
    MatrixRow.objects.filter(role=Role.JUNIOR_DEV, verb=Verb.VIEW).delete()
    client.force_login(bhumika)
    answer = client.get("/team/")
    assert answer.status_code == 403
    assert "Your role may not view;" in answer.content.decode()


def test_a_refusal_inside_a_page_is_a_fragment_with_a_toast(
    client: Client, bhumika: User, shweta: User
) -> None:
    MatrixRow.objects.filter(role=Role.JUNIOR_DEV, verb=Verb.VIEW).delete()
    User.objects.filter(pk=shweta.pk).update(display_name="Shwetā <b>")
    client.force_login(bhumika)
    answer = client.get("/team/", headers={"HX-Request": "true"})
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "<html" not in page
    assert "&lt;b&gt;" in page
    assert "Shwetā <b>" in json.loads(answer.headers["HX-Trigger"])["toast"]["text"]


@pytest.mark.parametrize("path", ["/team/", PROFILE, "/accounts/password/"])
def test_signed_out_every_page_leads_to_the_sign_in(client: Client, path: str) -> None:
    assert client.get(path).headers["Location"].startswith("/accounts/login/?next=")
