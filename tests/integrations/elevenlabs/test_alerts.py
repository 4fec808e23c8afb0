"""Spoken alerts from the incident to the page: with the vendor, without it, and with it failing in every way."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from agentops_site import speaking
from agentops_site.models import Speech, VoicePreference
from agentops_site.tasks import tend as speak_alerts
from incidents.alerts.voice import script_of, status_script
from incidents.models import Incident
from monitoring.models import ServiceHealth
from teams.models import MatrixRow, User
from tests.incidents import made
from tests.integrations.elevenlabs.test_voice import FAILURES
from tests.standins.elevenlabs_api import AUDIO, KEY, ElevenLabsStandIn

pytestmark = pytest.mark.django_db


def waiting(severity: str = "high", **fields: Any) -> Incident:
    """Return an incident that waits, with cause, fix and question."""
    fields.setdefault("detected_at", timezone.now())
    incident = made.incident(
        severity=severity, waits_for="Shweta is asked to approve the fix.", **fields
    )
    made.diagnosis(incident)
    made.fix(incident)
    return incident


def test_the_script_says_what_a_person_needs() -> None:
    script = script_of(waiting("critical"))
    for words in ("Critical incident", "Shop API", "price is called without parentheses", "Put line 7 of pricing.py back", "Shweta is asked to approve"):  # fmt: skip
        assert words in script
    assert len(script) <= 900


def test_an_alert_is_spoken_once_and_its_audio_kept_once(
    api: ElevenLabsStandIn, settings: Any
) -> None:
    settings.ELEVENLABS_SECONDS = 5.0
    waiting()
    assert speaking.speak_due(now=timezone.now()) == 1
    assert speaking.speak_due(now=timezone.now()) == 0
    row = Speech.objects.get()
    assert speaking.path_of(row.audio).read_bytes() == AUDIO
    assert [path.name for path in Path(settings.MEDIA_ROOT, "voice").iterdir()] == [
        f"{row.audio}.mp3"
    ]
    assert len(api.requests) == 1


def test_low_and_medium_are_not_spoken() -> None:
    waiting("medium")
    waiting("low")
    assert speaking.speak_due(now=timezone.now()) == 0


@pytest.mark.parametrize("name", FAILURES)
def test_with_a_failing_vendor_the_browser_reads_the_script(
    name: str, api: ElevenLabsStandIn, settings: Any, shweta: User, client: Client
) -> None:
    settings.ELEVENLABS_MAX_BYTES = 1_000_000
    api.turns = [FAILURES[name][0]]
    waiting()
    speak_alerts()
    row = Speech.objects.get()
    assert (row.audio, bool(row.ready_at)) == ("", True)
    assert "browser reads" in row.note
    client.force_login(shweta)
    page = client.get("/voice/latest/").content.decode()
    assert "data-player-script" in page
    assert "<audio" not in page


def test_without_a_vendor_the_browser_reads_the_script(shweta: User, client: Client) -> None:
    incident = waiting("blocker")
    speak_alerts()
    client.force_login(shweta)
    page = client.get("/voice/latest/").content.decode()
    assert f"Blocker incident {incident.pk}" in page
    assert "data-player-auto" in page


def test_what_is_heard_is_each_persons_choice(shweta: User, yash: User, client: Client) -> None:
    waiting("high")
    speak_alerts()
    client.force_login(shweta)
    assert "data-player" in client.get("/voice/latest/").content.decode()
    client.post("/voice/wishes/", {"lowest": "blocker"})
    assert "data-player" not in client.get("/voice/latest/").content.decode()
    client.post("/voice/wishes/", {"lowest": "high", "muted": "on"})
    assert VoicePreference.objects.get(person=shweta).muted
    assert "data-player" not in client.get("/voice/latest/").content.decode()
    assert "data-player-play" in client.get("/voice/").content.decode()
    client.force_login(yash)
    assert "data-player" in client.get("/voice/latest/").content.decode()


def slot(client: Client, path: str = "/accounts/profile/") -> str:
    """Return what the slot of a page holds."""
    page = client.get(path).content.decode()
    return page.partition('<div id="voice-slot">')[2].partition('<div id="voice-signal"')[0]


def test_a_page_opened_later_offers_what_was_not_heard(
    shweta: User, yash: User, client: Client
) -> None:
    incident = waiting("high")
    speak_alerts()
    Speech.objects.update(ready_at=timezone.now() - timedelta(hours=1))
    client.force_login(shweta)
    assert incident.title in slot(client)
    assert "data-player-auto" not in slot(client)  # an hour later nobody wants to be startled
    client.post(f"/voice/heard/{Speech.objects.get().pk}/")
    assert "data-player" not in slot(client)
    assert "data-player" not in slot(client, "/")
    client.force_login(yash)
    assert "data-player" in slot(client)
    Incident.objects.update(status="RESOLVED")
    assert "data-player" not in slot(client)


def test_the_slot_costs_the_same_for_one_alert_and_for_many(
    shweta: User, client: Client, django_assert_max_num_queries: Any
) -> None:
    waiting("high")
    speak_alerts()
    client.force_login(shweta)
    slot(client)
    with django_assert_max_num_queries(40) as one:
        assert "data-player" in slot(client)
    for _ in range(4):
        waiting("blocker")
    speak_alerts()
    with django_assert_max_num_queries(len(one)):
        assert "data-player" in slot(client)


def test_who_may_not_view_is_offered_nothing(shweta: User, client: Client) -> None:
    waiting("high")
    speak_alerts()
    client.force_login(shweta)
    assert "data-player" in slot(client)
    MatrixRow.objects.filter(role=shweta.role, verb="view").delete()
    assert "data-player" not in slot(client)


def test_hearing_an_older_one_does_not_bring_back_the_newer(shweta: User, client: Client) -> None:
    for _ in range(2):
        waiting("high")
    speak_alerts()
    newer, older = Speech.objects.values_list("pk", flat=True)
    client.force_login(shweta)
    client.post(f"/voice/heard/{newer}/")
    client.post(f"/voice/heard/{older}/")
    assert "data-player" not in slot(client)


def test_audio_is_for_signed_in_people_only(
    api: ElevenLabsStandIn, settings: Any, client: Client, shweta: User, yash: User
) -> None:
    settings.ELEVENLABS_SECONDS = 5.0
    waiting()
    speak_alerts()
    address = speaking.address(Speech.objects.get().audio)
    assert client.get(address).status_code == 302
    client.force_login(shweta)
    answer: Any = client.get(address)
    assert b"".join(answer.streaming_content) == AUDIO
    assert answer["Content-Type"] == "audio/mpeg"
    assert client.get("/voice/audio/" + "0" * 64 + ".mp3").status_code == 404
    Speech.objects.update(person=shweta)
    client.force_login(yash)
    assert client.get(address).status_code == 404


def test_a_row_of_a_killed_worker_is_finished_by_the_next_beat(
    api: ElevenLabsStandIn, settings: Any
) -> None:
    settings.ELEVENLABS_SECONDS = 5.0
    now = timezone.now()
    waiting()
    speaking.speak_due(now=now)
    Speech.objects.update(ready_at=None, audio="", claimed_until=now + timedelta(seconds=30))
    assert speaking.speak_due(now=now) == 0
    assert speaking.speak_due(now=now + timedelta(seconds=31)) == 1
    assert Speech.objects.get().audio


def test_secrets_are_not_spoken(api: ElevenLabsStandIn, settings: Any) -> None:
    settings.ELEVENLABS_SECONDS = 5.0
    service = made.service(environment={"DB_PASSWORD": "canary-of-the-shop-9"})
    incident = made.incident(
        service, severity="high", detected_at=timezone.now(), waits_for="Shweta decides."
    )
    made.diagnosis(incident, root_cause="canary-of-the-shop-9 is refused for ada@example.com.")
    speaking.speak_due(now=timezone.now())
    sent = bytes(api.raw)
    assert b"canary-of-the-shop-9" not in sent
    assert b"ada@example.com" not in sent
    assert KEY.encode() in sent
    assert "canary" not in Speech.objects.get().script


@pytest.mark.parametrize("with_vendor", [True, False])
def test_a_summary_on_demand(
    with_vendor: bool, api: ElevenLabsStandIn, settings: Any, shweta: User, client: Client
) -> None:
    settings.ELEVENLABS_SECONDS = 5.0
    settings.VOICE = settings.VOICE if with_vendor else ""
    incident = waiting()
    ServiceHealth.objects.create(service=incident.service, state="down")
    client.force_login(shweta)
    first = client.post("/voice/summary/").content.decode()
    assert "Shop API is down" in first
    row = Speech.objects.get(kind="status")
    assert ("hx-get" in first) == with_vendor
    if with_vendor:
        assert speaking.speak(row.pk, now=timezone.now())
        later = client.get(f"/voice/summary/{row.pk}/").content.decode()
        assert "<audio" in later
    assert row.script == status_script()
