from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from incidents.alerts import deliver, notify, outbox
from incidents.models import Delivery, Incident, Kind, NotificationChannel, NotificationPreference
from incidents.ports import AnnounceError
from teams.models import AuditEntry, User
from tests.fakes.announcer import FakeAnnouncer
from tests.incidents import made

State = Delivery.State


def channel(**fields: Any) -> NotificationChannel:
    row = NotificationChannel(**{"name": "Team", **fields})
    row.set_address("json://hooks.example.com/secret", shown="json://hooks.example.com/…")
    row.save()
    return row


def news(number: int = 0, **fields: Any) -> Incident:
    incident = made.incident(**fields)
    notify.tell([], incident=incident, kind=Kind.ESCALATION, text=incident.title, key=f"n{number}")
    return incident


def later(**span: float) -> datetime:
    return timezone.now() + timedelta(**span)


def test_the_address_is_unreadable_in_the_row(matrix: None) -> None:
    row = channel()
    assert "hooks.example.com/secret" not in row.sealed_address
    stored = NotificationChannel.objects.get(pk=row.pk)
    assert stored.address == "json://hooks.example.com/secret"


def test_an_address_of_another_key_fails_the_message_and_says_why(
    matrix: None, settings: Any
) -> None:
    channel()
    news()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", []
    deliver.deliver_due(now=later(), announcer=FakeAnnouncer())
    row = Delivery.objects.get()
    assert row.state == State.FAILED
    assert "SECRET_KEY_FALLBACKS" in row.last_error


def test_news_go_out_once_with_a_link_to_the_incident(matrix: None, settings: Any) -> None:
    settings.PUBLIC_URL = "https://agentops.example.com"
    channel()
    incident = news()
    notify.tell([], incident=incident, kind=Kind.ESCALATION, text="again", key="n0")
    announcer = FakeAnnouncer()
    deliver.deliver_due(now=later(), announcer=announcer)
    deliver.deliver_due(now=later(minutes=5), announcer=announcer)
    assert [m["link"] for m in announcer.sent] == [
        f"https://agentops.example.com/incidents/{incident.pk}/"
    ]
    assert Delivery.objects.get().state == State.SENT


def test_secrets_in_a_title_stay_home(matrix: None) -> None:
    channel()
    watched = made.service(environment={"API_KEY": "hunter2hunter2"})
    news(of=watched, title="refused hunter2hunter2 and password=verysecret1 of a@b.example")
    body = Delivery.objects.get().body
    for secret in ("hunter2", "verysecret1", "a@b.example"):
        assert secret not in body


def test_a_channel_carries_only_its_kinds_and_severities(matrix: None) -> None:
    reports = channel(kinds=["report"])
    loud = channel(lowest="critical")
    off = channel(enabled=False)
    news(severity="high")
    assert not Delivery.objects.exists()
    news(1, severity="blocker")
    assert [row.channel for row in Delivery.objects.all()] == [loud]
    assert reports.pk
    assert off.pk


def test_a_persons_own_channel_gets_only_what_the_person_is_told(shweta: User, yash: User) -> None:
    own = channel(person=shweta)
    incident = made.incident()
    notify.tell([yash], incident=incident, kind=Kind.ASKED, text="a", key="a")
    assert not Delivery.objects.exists()
    notify.tell([shweta], incident=incident, kind=Kind.ASKED, text="b", key="b")
    notify.tell([shweta], incident=incident, kind=Kind.ASKED, text="b", key="b")
    assert [row.channel for row in Delivery.objects.all()] == [own]


def test_quiet_hours_hold_a_persons_message_back_until_they_end(shweta: User) -> None:
    channel(person=shweta)
    now = timezone.now()
    NotificationPreference.objects.create(
        person=shweta,
        quiet_from=(now - timedelta(hours=1)).time(),
        quiet_until=(now + timedelta(hours=1)).time(),
    )
    incident = made.incident()
    notify.tell([shweta], incident=incident, kind=Kind.ASKED, text="b", key="b")
    announcer = FakeAnnouncer()
    assert deliver.deliver_due(now=now + timedelta(minutes=50), announcer=announcer) == 0
    assert deliver.deliver_due(now=now + timedelta(minutes=61), announcer=announcer) == 1


def test_a_failure_is_tried_again_later_and_later_and_then_given_up(matrix: None) -> None:
    channel()
    news()
    announcer = FakeAnnouncer(*[AnnounceError("the receiver answered 503")] * 9)
    now, waits = later(), []
    while Delivery.objects.get().state == State.WAITING:
        assert deliver.deliver_due(now=now, announcer=announcer) == 1
        row = Delivery.objects.get()
        if row.state == State.WAITING:
            assert (
                deliver.deliver_due(now=row.next_at - timedelta(seconds=1), announcer=announcer)
                == 0
            )
            waits.append((row.next_at - now).total_seconds())
            now = row.next_at
    assert waits == list(deliver.BACK_OFF)
    assert (row.state, row.attempts, row.last_error) == (
        State.FAILED,
        6,
        "the receiver answered 503",
    )


def test_a_permanent_refusal_is_not_tried_again(matrix: None) -> None:
    channel()
    news()
    refusal = AnnounceError("leads inside", permanent=True)
    deliver.deliver_due(now=later(), announcer=FakeAnnouncer(refusal))
    assert Delivery.objects.get().state == State.FAILED


def test_a_burst_goes_out_as_one_message(matrix: None) -> None:
    channel()
    for number in range(7):
        news(number)
    announcer = FakeAnnouncer()
    assert deliver.deliver_due(now=later(), announcer=announcer) == 1
    assert announcer.sent[0]["title"] == "AgentOps: 7 messages"
    assert announcer.sent[0]["body"].count("/incidents/") == 7


def test_a_channel_carries_no_more_messages_a_minute_than_its_limit(matrix: None) -> None:
    channel(per_minute=2)
    announcer = FakeAnnouncer()
    now = later()
    for number in range(5):
        news(number)
        deliver.deliver_due(now=now + timedelta(seconds=number), announcer=announcer)
    assert len(announcer.sent) == 2
    deliver.deliver_due(now=now + timedelta(seconds=70), announcer=announcer)
    assert len(announcer.sent) <= 4
    assert not Delivery.objects.exclude(state=State.SENT).exists()


def test_a_claimed_message_is_not_sent_by_another_worker_until_the_claim_runs_out(
    matrix: None,
) -> None:
    channel()
    news()
    now = later()
    Delivery.objects.update(state=State.SENDING, claimed_until=now + timedelta(seconds=60))
    announcer = FakeAnnouncer()
    assert deliver.deliver_due(now=now, announcer=announcer) == 0
    assert deliver.deliver_due(now=now + timedelta(seconds=61), announcer=announcer) == 1


def test_the_log_is_pruned(matrix: None) -> None:
    channel()
    news()
    deliver.deliver_due(now=later(), announcer=FakeAnnouncer())
    assert deliver.prune(now=later(days=29)) == 0
    assert deliver.prune(now=later(days=31)) == 1


@pytest.fixture
def fake_announcer(settings: Any) -> None:
    settings.INCIDENTS_ANNOUNCER = "tests.fakes.announcer.FakeAnnouncer"


def test_a_person_adds_tries_and_removes_an_own_address(
    client: Client, shweta: User, fake_announcer: None
) -> None:
    client.force_login(shweta)
    given = {"name": "Phone", "address": "ntfys://ntfy.sh/a-secret-topic"}
    page = client.post("/notifications/channels/", given, follow=True).content.decode()
    row = NotificationChannel.objects.get(person=shweta)
    assert "a-secret-topic" not in page
    assert row.address == "ntfys://ntfy.sh/a-secret-topic"
    client.post(f"/notifications/channels/{row.pk}/test/")
    announcer = FakeAnnouncer()
    deliver.deliver_due(now=later(), announcer=announcer)
    assert announcer.sent[0]["address"] == row.address
    client.post(f"/notifications/channels/{row.pk}/remove/")
    assert not NotificationChannel.objects.exists()
    entries = AuditEntry.objects.values_list("verb", "after_json")
    assert {verb for verb, _ in entries} == {"channel.added", "channel.removed"}
    assert not any("a-secret-topic" in after for _, after in entries)


def test_an_address_that_is_refused_is_not_stored(
    client: Client, shweta: User, fake_announcer: None
) -> None:
    client.force_login(shweta)
    given = {"name": "Phone", "address": "bad://x"}
    answer = client.post("/notifications/channels/", given)
    assert "This may be no channel." in answer.content.decode()
    assert not NotificationChannel.objects.exists()


def test_nobody_touches_another_persons_address(client: Client, shweta: User, yash: User) -> None:
    theirs = channel(person=yash)
    client.force_login(shweta)
    for what in ("test", "remove"):
        assert client.post(f"/notifications/channels/{theirs.pk}/{what}/").status_code == 404
    assert NotificationChannel.objects.filter(pk=theirs.pk).exists()


def test_a_test_message_ignores_kinds_and_severities(matrix: None) -> None:
    outbox.post_test(channel(kinds=["report"], lowest="blocker"), by="Maya")
    announcer = FakeAnnouncer()
    deliver.deliver_due(now=later(), announcer=announcer)
    assert "Maya tried" in announcer.sent[0]["body"]
