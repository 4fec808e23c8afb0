"""Signing in, being locked out, the demo's one click, and the end of a session."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from teams import demo
from teams.access import may
from teams.models import AuditEntry, User
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

LOGIN = "/accounts/login/"
TEAM = "/team/"


def sign_in(client: Client, email: str, password: str = PASSWORD, **extra: str) -> int:
    """Send the sign-in form; 302 is success, 200 the form again, 429 a lockout."""
    return client.post(LOGIN, {"username": email, "password": password, **extra}).status_code


def is_signed_in(client: Client) -> bool:
    """Tell whether a page that needs a person answers."""
    return client.get(TEAM).status_code == 200


def test_a_page_sends_a_visitor_to_the_sign_in_page_and_back(client: Client, yash: User) -> None:
    answer = client.get(TEAM)
    assert answer.headers["Location"] == f"{LOGIN}?next={TEAM}"
    answer = client.post(
        answer.headers["Location"], {"username": yash.email, "password": PASSWORD, "next": TEAM}
    )
    assert answer.headers["Location"] == TEAM
    assert is_signed_in(client)


def test_the_address_is_taken_in_any_letter_case(client: Client, yash: User) -> None:
    assert sign_in(client, " Yash@EXAMPLE.com ") == 302


def test_the_password_is_kept_by_argon2(yash: User) -> None:
    assert yash.password.startswith("argon2")


def test_a_wrong_password_and_an_unknown_address_look_the_same(client: Client, yash: User) -> None:
    pages = [
        client.post(LOGIN, {"username": email, "password": "wrong"}).content.decode()
        for email in (yash.email, "ghost@example.com")
    ]
    plain = [
        re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"|(yash|ghost)@example\.com', "", page)
        for page in pages
    ]
    assert plain[0] == plain[1]
    assert "do not match" in plain[0]


def test_signing_out_needs_a_post(client: Client, yash: User) -> None:
    client.force_login(yash)
    assert client.get("/accounts/logout/").status_code == 405
    assert is_signed_in(client)
    client.post("/accounts/logout/")
    assert not is_signed_in(client)


def test_nobody_is_sent_to_a_foreign_site(client: Client, yash: User) -> None:
    answer = client.post(
        LOGIN, {"username": yash.email, "password": PASSWORD, "next": "https://evil.example/"}
    )
    assert answer.headers["Location"] == "/"


def test_guessing_ends_in_a_lockout_that_letter_case_does_not_lift(
    client: Client, yash: User, settings: Settings
) -> None:
    spellings = [yash.email, yash.email.upper(), yash.email.title()]
    codes = [
        sign_in(client, spellings[number % 3], "wrong")
        for number in range(settings.AXES_FAILURE_LIMIT)
    ]
    assert codes[:-1] == [200] * (settings.AXES_FAILURE_LIMIT - 1)
    assert codes[-1] == 429
    answer = client.post(LOGIN, {"username": yash.email, "password": PASSWORD})
    assert answer.status_code == 429, "the right password does not help during a lockout"
    assert "Too many attempts" in answer.content.decode()
    assert int(answer.headers["Retry-After"]) == 15 * 60
    assert not is_signed_in(client)


def test_a_lockout_of_one_person_leaves_the_others_alone(
    client: Client, yash: User, shweta: User, settings: Settings
) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in(client, yash.email, "wrong")
    assert sign_in(client, shweta.email) == 302


def test_a_session_ends_when_the_person_is_made_inactive(client: Client, yash: User) -> None:
    client.force_login(yash)
    assert is_signed_in(client)
    User.objects.filter(pk=yash.pk).update(is_active=False)
    assert not is_signed_in(client)


def test_a_session_ends_by_itself(client: Client, yash: User) -> None:
    sign_in(client, yash.email)
    session = Session.objects.get()
    assert session.expire_date < timezone.now() + timedelta(hours=12, minutes=1)
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    assert not is_signed_in(client)


def test_signing_in_changes_the_session_key(client: Client, yash: User) -> None:
    client.get(LOGIN)
    client.session["planted"] = "before"
    before = client.session.session_key
    sign_in(client, yash.email)
    assert client.session.session_key != before


class TestDemo:
    @pytest.fixture(autouse=True)
    def cast(self, settings: Settings, matrix: None) -> list[User]:
        settings.DEMO_MODE = True
        return demo.seed_people(PASSWORD)

    def test_the_sign_in_page_offers_the_cast_by_one_click(self, client: Client) -> None:
        page = client.get(LOGIN).content.decode()
        assert [name in page for name in ("Shweta", "Yash", "Bhumika", "Maya")] == [True] * 4
        answer = client.post("/accounts/demo/", {"email": "bhumika@example.com", "next": TEAM})
        assert answer.headers["Location"] == TEAM
        assert is_signed_in(client)

    def test_a_click_leads_to_no_foreign_site(self, client: Client) -> None:
        answer = client.post(
            "/accounts/demo/", {"email": "bhumika@example.com", "next": "//evil.example"}
        )
        assert answer.headers["Location"] == "/"

    @pytest.mark.parametrize(
        "where",
        [
            {"REMOTE_ADDR": "10.0.0.7"},
            {"REMOTE_ADDR": ""},
            {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
            {"HTTP_FORWARDED": "for=127.0.0.1"},
        ],
    )
    def test_a_visitor_from_elsewhere_gets_no_click(
        self, client: Client, where: dict[str, str]
    ) -> None:
        answer = client.post("/accounts/demo/", {"email": "shweta@example.com"}, **where)  # type: ignore[arg-type]
        assert answer.status_code == 404
        page = client.get(LOGIN, **where)  # type: ignore[arg-type]
        assert "demo-people" not in page.content.decode()

    def test_the_click_opens_only_the_cast(self, client: Client) -> None:
        User.objects.create_user("root@example.com", PASSWORD, is_superuser=True)
        for email in ("root@example.com", "", "ghost@example.com"):
            assert client.post("/accounts/demo/", {"email": email}).status_code == 404
        assert client.get("/accounts/demo/").status_code == 405

    def test_the_cast_opens_nothing_when_the_demo_is_over(
        self, client: Client, settings: Settings
    ) -> None:
        sign_in(client, "shweta@example.com")
        assert is_signed_in(client)
        settings.DEMO_MODE = False
        assert not is_signed_in(client), "an old session"
        assert client.post("/accounts/demo/", {"email": "shweta@example.com"}).status_code == 404
        assert sign_in(client, "shweta@example.com") == 200, "the well-known password"
        assert "demo-people" not in client.get(LOGIN).content.decode()
        assert not may(User.objects.get(email="shweta@example.com"), "view").allowed

    def test_seeding_again_changes_nothing(self, cast: list[User]) -> None:
        User.objects.filter(email="yash@example.com").update(display_name="Yash K.")
        assert demo.seed_people("other") == cast
        assert User.objects.count() == 4
        yash = User.objects.get(email="yash@example.com")
        assert yash.display_name == "Yash K."
        assert yash.check_password(PASSWORD)

    def test_the_manager_has_the_console_and_the_others_do_not(self, cast: list[User]) -> None:
        staff = {person.email: person.is_staff for person in User.objects.all()}
        assert [email for email, is_staff in staff.items() if is_staff] == ["manager@example.com"]
        assert not any(person.is_superuser for person in cast)


def test_demo_people_are_refused_outside_a_demo(matrix: None, settings: Settings) -> None:
    settings.DEMO_MODE = False
    with pytest.raises(demo.NotInDemoMode):
        demo.seed_people(PASSWORD)
    assert not User.objects.exists()


def test_a_forgotten_password_is_set_by_the_link_of_the_mail(client: Client, yash: User) -> None:
    client.post("/accounts/reset/", {"email": yash.email.upper()})
    (message,) = mail.outbox
    assert message.to == [yash.email]
    link = re.search(r"http://testserver(/accounts/reset/\S+)", str(message.body))
    assert link
    form = client.get(link[1], follow=True)
    path = form.redirect_chain[-1][0]
    new = {"new_password1": "quite another one", "new_password2": "quite another one"}
    assert client.post(path, new).headers["Location"] == "/accounts/reset/done/"
    assert client.get("/accounts/reset/done/").status_code == 200
    assert sign_in(client, yash.email, "quite another one") == 302
    assert AuditEntry.objects.filter(verb="user.password_reset", actor=yash.email).count() == 1
    again = Client().get(link[1], follow=True)
    assert "used already" in again.content.decode()


def test_an_unknown_address_gets_the_same_answer_and_no_mail(client: Client, matrix: None) -> None:
    answer = client.post("/accounts/reset/", {"email": "ghost@example.com"}, follow=True)
    assert "Look into your mailbox" in answer.content.decode()
    assert mail.outbox == []


def test_a_reset_lifts_a_lockout(client: Client, yash: User, settings: Settings) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT):
        sign_in(client, yash.email, "wrong")
    client.post("/accounts/reset/", {"email": yash.email})
    link = re.search(r"http://testserver(/accounts/reset/\S+)", str(mail.outbox[0].body))
    assert link
    path = client.get(link[1], follow=True).redirect_chain[-1][0]
    client.post(path, {"new_password1": "quite another", "new_password2": "quite another"})
    assert sign_in(client, yash.email, "quite another") == 302


def test_a_changed_password_ends_the_other_sessions(client: Client, yash: User) -> None:
    other = Client()
    other.force_login(yash)
    client.force_login(yash)
    form = {
        "old_password": PASSWORD,
        "new_password1": "quite another one",
        "new_password2": "quite another one",
    }
    wrong = client.post("/accounts/password/", form | {"old_password": "no"})
    assert wrong.status_code == 200
    answer = client.post("/accounts/password/", form)
    assert answer.headers["Location"] == "/accounts/profile/"
    assert is_signed_in(client)
    assert not is_signed_in(other)
    assert AuditEntry.objects.filter(verb="user.password_changed").count() == 1


def test_whoever_asked_for_a_link_finds_back_to_the_sign_in(client: Client) -> None:
    assert 'href="/accounts/login/">Back to' in client.get("/accounts/reset/sent/").content.decode()


def test_the_rules_of_a_password_are_the_fields_help(client: Client, yash: User) -> None:
    client.force_login(yash)
    page = client.get("/accounts/password/").content.decode()
    # A list ends a paragraph: in one, the rules would stand outside of what the field is described by.
    assert '<div class="field__help" id="id_new_password1_helptext"><ul>' in page
