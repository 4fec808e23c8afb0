"""A person's contact addresses: kept on the account, reached by what that person is told, and nobody else's to see."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from agentops_site.integrations.mail import AnnouncerByAddress, MailAnnouncer
from incidents import providers
from incidents.alerts import deliver, notify
from incidents.models import Delivery, Incident, Kind, NotificationChannel
from incidents.ports import AnnounceError
from teams.models import AuditEntry, User
from tests.incidents import made

MESSAGE = {"title": "Shop is down", "body": "KeyError", "link": "http://agentops.test/incidents/7/"}
OWN = "shweta.private@example.org"


def add(client: Client, **given: Any) -> Any:
    said = {"name": "Mail", "address": OWN, "next": "/accounts/profile/"}
    return client.post("/notifications/channels/", {**said, **given})


@pytest.fixture
def account(client: Client, shweta: User) -> Client:
    client.force_login(shweta)
    return client


def tell(person: User, kind: str, severity: str) -> Incident:
    incident = made.incident(severity=severity)
    notify.tell([person], incident=incident, kind=kind, text="Look", key=f"{kind}:{severity}")
    return incident


def sent() -> list[str]:
    later = timezone.now() + timedelta(seconds=1)
    deliver.deliver_due(now=later, announcer=providers.announcer())
    return [str(message.subject) for message in mail.outbox]


def test_the_account_page_has_a_place_for_them(account: Client) -> None:
    page = account.get("/accounts/profile/").content.decode()
    assert 'hx-get="/notifications/addresses/"' in page
    assert 'href="/notifications/settings/"' in page, "without scripts"
    part = account.get("/notifications/addresses/").content.decode()
    assert "<html" not in part
    assert 'action="/notifications/channels/"' in part


def test_an_e_mail_address_is_kept_encrypted_shown_masked_and_written_to(
    account: Client, shweta: User
) -> None:
    assert add(account).headers["Location"] == "/accounts/profile/"
    row = NotificationChannel.objects.get(person=shweta)
    assert OWN not in row.sealed_address
    part = account.get("/notifications/addresses/").content.decode()
    assert "shweta.private" not in part
    assert "s…@example.org" in part
    incident = tell(shweta, Kind.ASKED, "high")
    assert len(sent()) == 1
    (message,) = mail.outbox
    assert message.to == [OWN]
    assert f"/incidents/{incident.pk}/" in str(message.body)
    assert not any(OWN in entry.after_json for entry in AuditEntry.objects.all())


def test_kinds_and_severities_are_chosen_for_each_address(account: Client, shweta: User) -> None:
    add(account, lowest="critical", kinds=["asked", "report"])
    tell(shweta, Kind.ASKED, "high")
    tell(shweta, Kind.MENTION, "blocker")
    assert sent() == []
    tell(shweta, Kind.REPORT, "critical")
    assert len(sent()) == 1
    row = NotificationChannel.objects.get()
    changed = {"lowest": "low", "kinds": ["mention"], "next": "/accounts/profile/"}
    answer = account.post(f"/notifications/channels/{row.pk}/change/", changed)
    assert answer.headers["Location"] == "/accounts/profile/"
    tell(shweta, Kind.MENTION, "low")
    assert len(sent()) == 2
    assert AuditEntry.objects.filter(verb="channel.changed").count() == 1
    account.post(f"/notifications/channels/{row.pk}/change/", {"kinds": ["explode"]})
    row.refresh_from_db()
    assert row.kinds == ["mention"]


def test_the_test_button_writes_to_it(account: Client, shweta: User) -> None:
    add(account)
    row = NotificationChannel.objects.get()
    account.post(f"/notifications/channels/{row.pk}/test/", {"next": "//elsewhere.example/"})
    assert sent() == ["AgentOps: a test message"]


@pytest.mark.parametrize(
    "address",
    [
        "nobody",
        "a@b@c.d",
        "x@y\nBcc: z@y.org",
        "json://127.0.0.1/x",
        "syslog://a@b.c",
        "mailto:a@b.c",
    ],
)
def test_what_is_no_address_is_refused_next_to_its_field(account: Client, address: str) -> None:
    answer = add(account, address=address)
    assert answer.status_code == 422
    assert 'id="id_address_error"' in answer.content.decode()
    assert not NotificationChannel.objects.exists()


def test_nobody_changes_the_address_of_another(account: Client, yash: User) -> None:
    row = NotificationChannel(name="Mail", person=yash)
    row.set_address(OWN, shown="s…")
    row.save()
    assert account.post(f"/notifications/channels/{row.pk}/change/", {}).status_code == 404
    assert "reach-" not in account.get("/notifications/addresses/").content.decode()


def test_without_a_mail_server_it_says_so(account: Client, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    add(account)
    row = NotificationChannel.objects.get()
    account.post(f"/notifications/channels/{row.pk}/test/")
    sent()
    assert Delivery.objects.get().state == "failed"
    part = account.get("/notifications/addresses/").content.decode()
    assert "No mail server is set up here" in part


def test_a_mail_server_that_fails_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise smtplib.SMTPServerDisconnected("secret words")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", broken)
    with pytest.raises(AnnounceError) as caught:
        MailAnnouncer().announce(address=OWN, severity="high", **MESSAGE)
    assert not caught.value.permanent
    assert "secret words" not in str(caught.value)


def test_a_title_makes_no_second_header() -> None:
    title = "Shop is down\r\nBcc: somebody@example.org"
    AnnouncerByAddress().announce(address=OWN, severity="high", **{**MESSAGE, "title": title})
    (message,) = mail.outbox
    assert "\n" not in message.subject
    assert message.recipients() == [OWN]
