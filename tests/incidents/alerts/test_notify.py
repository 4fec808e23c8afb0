from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from incidents.alerts import notify
from incidents.models import Kind, Notification, NotificationPreference, TimelineEntry
from incidents.pipeline import people
from incidents.pipeline.gates import Conflict
from incidents.queries import shell
from teams.access import AccessRefused
from teams.models import User
from tests.incidents import made


def told(person: User) -> list[str]:
    return list(Notification.objects.filter(person=person).values_list("kind", flat=True))


def test_a_person_is_told_the_same_thing_once(shweta: User) -> None:
    incident = made.incident()
    for _ in range(3):
        notify.tell([shweta, shweta], incident=incident, kind=Kind.ASKED, text="Look", key="k")
    assert told(shweta) == [Kind.ASKED]


def test_who_may_not_sign_in_is_not_told(shweta: User) -> None:
    User.objects.filter(pk=shweta.pk).update(is_active=False)
    shweta.refresh_from_db()
    notify.tell([shweta], incident=made.incident(), kind=Kind.ASKED, text="Look", key="k")
    assert told(shweta) == []


def test_a_kind_below_the_chosen_severity_is_not_told_but_a_blocker_is(shweta: User) -> None:
    NotificationPreference.objects.create(person=shweta, lowest={"asked": "critical"})
    for number, severity in enumerate(["high", "critical", "blocker"]):
        incident = made.incident(severity=severity)
        notify.tell([shweta], incident=incident, kind=Kind.ASKED, text=severity, key=str(number))
    texts = Notification.objects.filter(person=shweta).values_list("text", flat=True)
    assert sorted(texts) == ["blocker", "critical"]


def test_a_choice_of_one_person_and_kind_leaves_the_others_alone(shweta: User, yash: User) -> None:
    NotificationPreference.objects.create(person=shweta, lowest={"asked": "blocker"})
    incident = made.incident()
    notify.tell([shweta, yash], incident=incident, kind=Kind.ASKED, text="a", key="a")
    notify.tell([shweta], incident=incident, kind=Kind.REPORT, text="b", key="b")
    assert told(shweta) == [Kind.REPORT]
    assert told(yash) == [Kind.ASKED]


@pytest.mark.parametrize(
    ("at", "end"),
    [
        (datetime(2026, 7, 1, 20, 0, tzinfo=UTC), datetime(2026, 7, 2, 5, 0, tzinfo=UTC)),
        (datetime(2026, 7, 1, 3, 0, tzinfo=UTC), datetime(2026, 7, 1, 5, 0, tzinfo=UTC)),
        (datetime(2026, 7, 1, 12, 0, tzinfo=UTC), None),
        (datetime(2026, 7, 1, 5, 0, tzinfo=UTC), None),
        (datetime(2026, 1, 1, 5, 30, tzinfo=UTC), datetime(2026, 1, 1, 6, 0, tzinfo=UTC)),
    ],
)
def test_quiet_hours_are_those_of_the_persons_clock(at: datetime, end: datetime | None) -> None:
    """22:00 to 07:00 in Berlin: 20:00 to 05:00 UTC in summer, 21:00 to 06:00 in winter."""
    row = NotificationPreference(quiet_from=time(22), quiet_until=time(7))
    assert row.quiet_end(at, "Europe/Berlin", "high") == end
    assert row.quiet_end(at, "Europe/Berlin", "blocker") is None


def test_the_bell_stays_silent_in_quiet_hours_unless_it_is_a_blocker(
    shweta: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    NotificationPreference.objects.create(
        person=shweta,
        quiet_from=(now - timedelta(hours=1)).time(),
        quiet_until=(now + timedelta(hours=1)).time(),
    )
    pushed: list[dict[str, Any]] = []
    monkeypatch.setattr(notify, "publish", lambda kind, payload: pushed.append(payload))
    notify.tell([shweta], incident=made.incident(), kind=Kind.ASKED, text="a", key="a")
    assert pushed == []
    blocker = made.incident(severity="blocker")
    notify.tell([shweta], incident=blocker, kind=Kind.ASKED, text="b", key="b")
    assert pushed == [{"people": [shweta.pk]}]
    assert len(told(shweta)) == 2


def test_a_burst_is_one_line_with_the_rest_under_it(shweta: User, settings: Any) -> None:
    settings.NOTIFY_BURST_SIZE = 3
    incident = made.incident()
    for number in range(10):
        notify.tell([shweta], incident=incident, kind=Kind.ASKED, text=f"{number}", key=f"{number}")
    assert shell.unread(shweta.pk) == 3
    head = Notification.objects.filter(person=shweta, bundle=None).latest("id")
    assert head.bundled.count() == 7
    assert Notification.objects.filter(person=shweta).count() == 10


def test_what_comes_after_the_burst_was_read_counts_again(shweta: User, settings: Any) -> None:
    settings.NOTIFY_BURST_SIZE = 1
    incident = made.incident()
    for number in range(4):
        notify.tell([shweta], incident=incident, kind=Kind.ASKED, text=f"{number}", key=f"{number}")
    notify.mark_read(person=shweta, ids=None, now=timezone.now())
    notify.tell([shweta], incident=incident, kind=Kind.ASKED, text="new", key="new")
    assert shell.unread(shweta.pk) == 1


def test_one_marks_only_ones_own(shweta: User, yash: User) -> None:
    incident = made.incident()
    notify.tell([shweta, yash], incident=incident, kind=Kind.ASKED, text="a", key="a")
    theirs = Notification.objects.get(person=yash)
    assert notify.mark_read(person=shweta, ids=[theirs.pk], now=timezone.now()) == 0
    assert shell.unread(yash.pk) == 1


def test_mentioned_people_are_told_but_not_the_author(shweta: User, yash: User) -> None:
    incident = made.incident()
    people.comment(incident_id=incident.pk, person=shweta, text="@yash, see what @shweta found")
    assert told(yash) == [Kind.MENTION]
    assert told(shweta) == []


def test_asking_tells_those_whose_role_may(shweta: User, yash: User, bhumika: User) -> None:
    incident = made.incident(severity="blocker")
    asked = people.ask(incident_id=incident.pk, person=bhumika)
    people.ask(incident_id=incident.pk, person=bhumika)
    assert asked == [shweta]
    assert told(shweta) == [Kind.HELP]
    assert told(yash) == []
    assert TimelineEntry.objects.filter(incident=incident, kind="asked_for_help").count() == 1


def test_a_viewer_may_not_ask_and_nobody_asks_about_what_is_over(
    shweta: User, viewer: User
) -> None:
    incident = made.incident()
    with pytest.raises(AccessRefused):
        people.ask(incident_id=incident.pk, person=viewer)
    with pytest.raises(Conflict, match="ended"):
        people.ask(incident_id=made.incident(status="RESOLVED").pk, person=shweta)


def rows(person: User, number: int) -> None:
    incident = made.incident()
    for count in range(number):
        Notification.objects.create(
            person=person,
            incident=incident,
            kind="asked",
            severity="high",
            text="t",
            key=f"x{count}",
        )


def test_the_page_costs_the_same_for_ten_rows_and_for_forty(
    client: Client, shweta: User, django_assert_max_num_queries: Any
) -> None:
    client.force_login(shweta)
    rows(shweta, 10)
    client.get("/notifications/")
    with django_assert_max_num_queries(40) as few:
        client.get("/notifications/")
    Notification.objects.all().delete()
    rows(shweta, 40)
    with django_assert_max_num_queries(len(few)):
        answer = client.get("/notifications/")
    assert answer.status_code == 200


def test_filters_narrow_and_pages_go_on(client: Client, shweta: User) -> None:
    client.force_login(shweta)
    rows(shweta, 60)
    Notification.objects.filter(key="x3").update(kind="mention", read_at=timezone.now())
    answer = client.get("/notifications/")
    assert len(answer.context["items"]) == 50
    assert len(client.get("/notifications/" + answer.context["older_url"]).context["items"]) == 10
    assert len(client.get("/notifications/?kind=mention").context["items"]) == 1
    assert len(client.get("/notifications/?kind=mention&unread=1").context["items"]) == 0
    assert len(client.get("/notifications/?severity=low").context["items"]) == 0
    assert client.get("/notifications/?before=x&kind=%00&severity=loud").status_code == 200


def test_opening_marks_as_read_and_another_persons_is_not_here(
    client: Client, shweta: User, yash: User
) -> None:
    incident = made.incident()
    notify.tell([shweta, yash], incident=incident, kind=Kind.ASKED, text="a", key="a")
    client.force_login(shweta)
    mine, theirs = (Notification.objects.get(person=one) for one in (shweta, yash))
    assert (
        client.get(f"/notifications/{mine.pk}/open/").headers["Location"]
        == f"/incidents/{incident.pk}/"
    )
    assert shell.unread(shweta.pk) == 0
    assert client.get(f"/notifications/{theirs.pk}/open/").status_code == 404
    assert shell.unread(yash.pk) == 1


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"]
)
def test_marking_never_leads_outside(client: Client, shweta: User, target: str) -> None:
    client.force_login(shweta)
    answer = client.post("/notifications/read/", {"next": target})
    assert answer.headers["Location"] == "/notifications/"


def test_settings_are_stored_and_half_quiet_hours_refused(client: Client, shweta: User) -> None:
    client.force_login(shweta)
    choices = dict.fromkeys(("asked", "escalation", "help", "assigned", "mention"), "low")
    given = {
        **choices,
        "report": "blocker",
        "opened": "never",
        "quiet_from": "22:00",
        "quiet_until": "07:00",
    }
    assert client.post("/notifications/settings/", given).status_code == 302
    row = NotificationPreference.objects.get(person=shweta)
    assert (row.lowest["report"], row.quiet_from) == ("blocker", time(22))
    half = client.post("/notifications/settings/", {**given, "quiet_until": ""})
    assert "beginning and an end" in half.content.decode()


def test_a_question_does_not_vanish_in_a_burst_of_reports(shweta: User, settings: Any) -> None:
    settings.NOTIFY_BURST_SIZE = 2
    incident = made.incident()
    for number in range(5):
        notify.tell([shweta], incident=incident, kind=Kind.REPORT, text="r", key=f"r{number}")
    notify.tell([shweta], incident=incident, kind=Kind.ASKED, text="a", key="a")
    assert Notification.objects.get(kind=Kind.ASKED).bundle is None
    assert shell.unread(shweta.pk) == 3
