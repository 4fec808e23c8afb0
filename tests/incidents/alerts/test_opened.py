"""That an incident opened is said once, to those who chose to hear it; a burst is one line."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from incidents.alerts.opened import tell_opened
from incidents.models import Incident, Kind, Notification, NotificationPreference
from incidents.pipeline import detect
from incidents.queries import shell
from monitoring.models import HealthChange
from teams.models import User
from tests.incidents import made


def told(person: User) -> list[str]:
    rows = Notification.objects.filter(person=person, kind=Kind.OPENED)
    return list(rows.values_list("text", flat=True))


def chooses(person: User, lowest: str) -> None:
    NotificationPreference.objects.create(person=person, lowest={"opened": lowest})


def test_detecting_tells_whoever_chose_to_hear_of_it(
    shweta: User, yash: User, bhumika: User
) -> None:
    chooses(shweta, "low")
    chooses(yash, "never")
    HealthChange.objects.create(
        service=made.service(),
        before="healthy",
        after="down",
        symptom="http_error",
        source="probe",
        at=timezone.now(),
        verdict={"error_type": "KeyError", "method": "GET", "path": "/health"},
    )
    detect.consume_changes(now=timezone.now())
    incident = Incident.objects.get()
    assert told(shweta) == [f"Opened: {incident.title}"]
    assert (told(yash), told(bhumika)) == ([], []), "who chose nothing hears of blockers only"


@pytest.mark.parametrize(
    ("lowest", "severity", "heard"),
    [
        ("", "critical", False),
        ("", "blocker", True),
        ("high", "medium", False),
        ("high", "high", True),
        ("never", "blocker", False),
    ],
)
def test_each_hears_from_the_chosen_severity_on(
    shweta: User, lowest: str, severity: str, heard: bool
) -> None:
    if lowest:
        chooses(shweta, lowest)
    tell_opened(made.incident(severity=severity))
    assert bool(told(shweta)) is heard


def test_a_burst_is_one_line_and_each_is_told_once(shweta: User) -> None:
    chooses(shweta, "low")
    incidents = [made.incident() for _ in range(20)]
    for incident in incidents * 2:
        tell_opened(incident)
    assert len(told(shweta)) == 20
    assert shell.unread(shweta.pk) <= 5


def test_the_kind_can_be_chosen_and_switched_off(client: Client, shweta: User) -> None:
    client.force_login(shweta)
    page = client.get("/notifications/settings/").content.decode()
    _, _, field = page.partition('name="opened"')
    assert '<option value="blocker" selected>' in field.partition("</select>")[0]
    kinds = [kind.value for kind in Kind if kind != Kind.TEST]
    client.post("/notifications/settings/", dict.fromkeys(kinds, "low") | {"opened": "never"})
    assert NotificationPreference.objects.get().lowest["opened"] == "never"
    client.post("/notifications/settings/", dict.fromkeys(kinds, "low") | {"asked": "never"})
    assert NotificationPreference.objects.get().lowest["asked"] == "low", "a question is never lost"
