"""The public status page: true in plain words, exact by the day, silent about what is internal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from incidents.models import Incident
from incidents.queries import public
from monitoring import uptime
from monitoring.models import HealthChange, Service, ServiceHealth
from teams.models import User
from tests.shop.store import text_of

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def fresh_page() -> None:
    cache.clear()


def watched(
    slug: str = "shop", *, state: str = "healthy", since: datetime = NOW - 30 * DAY
) -> Service:
    service = Service.objects.create(
        slug=slug, name=slug.title(), directory="/srv/internal", port=4999, created_at=since
    )
    ServiceHealth.objects.create(service=service, state=state, since=since)
    return Service.objects.select_related("health").get(pk=service.pk)


def change(service: Service, before: str, after: str, at: datetime) -> None:
    HealthChange.objects.create(service=service, before=before, after=after, at=at)


def test_a_day_with_an_outage_counts_its_exact_seconds() -> None:
    service = watched()
    change(service, "healthy", "down", NOW - 2 * DAY)
    change(service, "down", "healthy", NOW - 2 * DAY + timedelta(minutes=14, seconds=24))
    days = uptime.days_of([service], now=NOW)[service.pk]
    assert len(days) == 90
    broken = days[-3]
    assert (broken.state, broken.down, broken.watched) == ("down", 864.0, 86400.0)
    assert uptime.share([broken]) == pytest.approx(99.0)
    assert uptime.share(days) == pytest.approx(100 * (1 - 864 / (30 * 86400)))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "1 second"),
        (89, "89 seconds"),
        (90, "2 minutes"),
        (600, "10 minutes"),
        (5400, "1.5 hours"),
        (43200, "12 hours"),
    ],
)
def test_a_length_of_time_is_said_in_words_that_fit(seconds: float, words: str) -> None:
    assert public.lasting(seconds) == words


def test_who_gets_lost_in_the_shop_is_led_back_to_it(client: Client) -> None:
    assert 'href="/shop/">To the shop' in client.get("/shop/nowhere/").content.decode()
    assert "To the shop" not in client.get("/nowhere/").content.decode()


def test_who_is_not_signed_in_is_offered_only_what_anybody_may_open(
    client: Client, viewer: User
) -> None:
    shown = client.get("/nowhere/").content.decode()
    assert "To the incidents" not in shown
    assert 'href="/status/">Service status' in shown
    assert 'href="/accounts/login/">Sign in' in shown
    client.force_login(viewer)
    shown = client.get("/nowhere/").content.decode()
    assert 'href="/">To the incidents' in shown
    assert "Sign in" not in shown


def test_an_outage_over_midnight_is_split_between_its_days() -> None:
    service = watched()
    midnight = NOW.replace(hour=0)
    change(service, "healthy", "down", midnight - timedelta(minutes=5))
    change(service, "down", "healthy", midnight + timedelta(minutes=10))
    days = uptime.days_of([service], now=NOW)[service.pk]
    assert [day.down for day in days[-2:]] == [300.0, 600.0]


def test_nothing_is_claimed_for_the_time_before_a_service_was_registered() -> None:
    service = watched(since=NOW - DAY)
    days = uptime.days_of([service], now=NOW)[service.pk]
    assert {day.state for day in days[:-2]} == {"unknown"}
    assert {day.watched for day in days[:-2]} == {0.0}
    assert uptime.share(days) == 100.0


def test_an_outage_that_goes_on_counts_until_now_and_unknown_time_counts_for_nothing() -> None:
    service = watched(state="down")
    change(service, "healthy", "unknown", NOW - timedelta(hours=6))
    change(service, "unknown", "down", NOW - timedelta(hours=3))
    today = uptime.days_of([service], now=NOW)[service.pk][-1]
    assert (today.watched, today.down) == (9 * 3600.0, 3 * 3600.0)


def test_anybody_sees_the_state_in_plain_words_and_nothing_internal() -> None:
    service = watched(state="down", since=timezone.now() - DAY)
    HealthChange.objects.create(
        service=service,
        before="healthy",
        after="down",
        verdict={"detail": "KeyError in handler.py"},
    )
    page = Client().get("/status/")
    assert page.status_code == 200
    shown = text_of(page)
    assert "Shop is not working" in shown
    for secret in ("KeyError", "handler.py", "/srv/internal", "4999"):
        assert secret not in page.content.decode()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("healthy", "Everything is working"),
        ("degraded", "slow or failing"),
        ("unknown", "Nothing is known yet"),
    ],
)
def test_the_headline_says_the_worst(state: str, words: str) -> None:
    watched(state=state)
    assert words in text_of(Client().get("/status/"))


def test_services_that_are_switched_off_are_not_shown() -> None:
    Service.objects.filter(pk=watched().pk).update(enabled=False)
    assert "No services" in text_of(Client().get("/status/"))


def test_incidents_are_shown_without_title_cause_or_person() -> None:
    service = watched(since=timezone.now() - DAY)
    past = {"detected_at": timezone.now() - DAY, "ended_at": timezone.now() - DAY / 2}
    Incident.objects.create(
        service=service, fingerprint="a", title="KeyError at pricing.py", severity="blocker", status="RESOLVED", **past
    )  # fmt: skip
    Incident.objects.create(
        service=service, fingerprint="b", title="Config holds a password", severity="medium"
    )
    page = Client().get("/incidents/fragments/public/")
    shown = text_of(page)
    assert "Shop did not work Over after 12 hours" in shown
    assert "Shop is slow or fails in places We are working on it" in shown
    for secret in ("KeyError", "pricing", "password", "Config"):
        assert secret not in page.content.decode()


def test_a_service_with_several_open_incidents_is_said_once_with_its_worst_and_since_when() -> None:
    ill, other = watched(), watched("other")
    for number, severity in enumerate(["medium", "blocker", "low"]):
        Incident.objects.create(
            service=ill, fingerprint=f"{number}", title="t", severity=severity,
            failed_since=datetime(2026, 11, 22, 3 + number, 5, tzinfo=UTC),
        )  # fmt: skip
    Incident.objects.create(service=other, fingerprint="o", title="t", severity="low")
    shown = text_of(Client().get("/incidents/fragments/public/"))
    assert f"{ill.name} does not work 3 incidents: we are working on them" in shown
    assert "The first began 22 Nov 2026, 03:05 UTC" in shown
    assert shown.count("working on") == 2
    assert "slow or fails" not in shown


def test_an_incident_that_goes_on_says_the_moment_it_began() -> None:
    began = datetime(2026, 11, 22, 3, 5, tzinfo=UTC)
    Incident.objects.create(
        service=watched(), fingerprint="a", title="t", severity="high", failed_since=began
    )
    shown = text_of(Client().get("/incidents/fragments/public/"))
    assert "Began 22 Nov 2026, 03:05 UTC" in shown


def test_an_incident_that_lasts_is_not_pushed_off_by_short_ones_and_past_ones_are_in_order() -> (
    None
):
    service, now = watched(since=timezone.now() - DAY), timezone.now()
    Incident.objects.create(service=service, fingerprint="lasts", title="t", severity="high")
    for number in range(25):
        began = now - timedelta(minutes=100 - number if number % 2 else number + 1)
        Incident.objects.create(
            service=service, fingerprint=f"{number}", title="t", severity="low", status="RECOVERED",
            detected_at=began, ended_at=began + timedelta(seconds=9),
        )  # fmt: skip
    page = Client().get("/incidents/fragments/public/")
    assert "Shop works only in part We are working on it" in text_of(page)
    past = public.incidents(now=now)["past"]
    assert len(past) == public.MOST
    assert past == sorted(past, key=lambda row: row["began"], reverse=True)
    assert past[0]["began"] == now - timedelta(minutes=1)


def test_the_number_of_queries_is_the_same_for_any_number_of_services() -> None:
    def queries() -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as seen:
            Client().get("/status/")
            Client().get("/incidents/fragments/public/")
        return len(seen)

    watched()
    few = queries()
    for number in range(20):
        service = watched(f"s{number}")
        Incident.objects.create(service=service, fingerprint=f"{number}", title="t")
    assert queries() == few
