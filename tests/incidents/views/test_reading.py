"""What a person who was just woken reads on the incident page: when, who, and what is asked, without a riddle."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from incidents.models import Incident, TimelineEntry, Trial
from incidents.pipeline import approvals, people
from incidents.pipeline.gates import Conflict
from monitoring.models import Service, ServiceHealth
from teams.models import User
from tests.incidents import rows
from tests.incidents.views.test_pages import section, text_of

HOME = ZoneInfo("Asia/Kolkata")


@pytest.fixture
def service(db: None) -> Service:
    return rows.shop()


@pytest.fixture
def reader(shweta: User) -> User:
    shweta.time_zone = HOME.key
    shweta.save()
    return shweta


def entry_of(reader: User, incident: Incident, at: datetime) -> str:
    """Return how the page shows the moment of an entry."""
    TimelineEntry.objects.filter(incident=incident).update(at=at)
    text = text_of(reader, f"/incidents/{incident.pk}/")
    found = re.search(r'<time class="timeline__time.*?</time>', text, re.DOTALL)
    assert found
    return found.group()


def test_an_entry_of_today_shows_its_time_and_one_of_another_day_the_date_too(
    service: Service, reader: User
) -> None:
    incident, now = rows.incident(service), timezone.now().astimezone(HOME)
    assert "timeline__date" not in entry_of(reader, incident, now)
    for before in (timedelta(days=1), timedelta(days=400)):
        at = now - before
        date = f"{at.day} {at:%b}" + ("" if at.year == now.year else f" {at.year}")
        shown = entry_of(reader, incident, at)
        assert f'<span class="timeline__date">{date}</span> {at:%H:%M:%S}</time>' in shown


def test_the_day_of_an_entry_is_that_of_the_person_who_reads(
    service: Service, reader: User
) -> None:
    midnight = timezone.now().astimezone(HOME).replace(hour=0, minute=0, second=0)
    incident = rows.incident(service)
    assert "timeline__date" not in entry_of(reader, incident, midnight)
    assert "timeline__date" in entry_of(reader, incident, midnight - timedelta(seconds=1))


def test_the_title_of_an_entrys_time_can_be_read(service: Service, reader: User) -> None:
    at = timezone.now().astimezone(HOME)
    shown = entry_of(reader, rows.incident(service), at)
    assert f'title="{at.day} {at:%b %Y, %H:%M:%S} IST"' in shown


def test_an_ended_incident_says_on_which_day_it_was(service: Service, reader: User) -> None:
    at = datetime(2024, 3, 5, 22, 30, tzinfo=HOME)
    incident = rows.resolved(service, reader, at=at + timedelta(minutes=4))
    Incident.objects.filter(pk=incident.pk).update(failed_since=at, detected_at=at)
    text = text_of(reader, f"/incidents/{incident.pk}/")
    assert "5 Mar 2024, 22:30 IST, lasted 4 min 00 s" in text


def test_a_persons_decision_is_told_as_what_they_did(service: Service, reader: User) -> None:
    incident = rows.resolved(service, reader)
    assert "</strong> approved the fix <time" in text_of(reader, f"/incidents/{incident.pk}/")


def test_the_header_says_in_a_word_which_service_is_ill(service: Service, reader: User) -> None:
    for address in ("/", "/incidents/fragments/header/health/"):
        for state, words in {"down": "Down", "degraded": "Degraded", "healthy": ""}.items():
            ServiceHealth.objects.filter(service=service).update(state=state)
            header = (
                text_of(reader, address).partition('id="header-health"')[2].partition("</ul>")[0]
            )
            assert re.findall(r"<span>(\w+)</span>", header) == ([words] if words else [])


BUTTON = re.compile(r'<button class="(button[^"]*|menu__item)" type="submit">([^<]+)</button>')


def buttons(person: User, incident: Incident) -> tuple[list[str], list[str]]:
    """Return the deeds that are buttons in the bar, and those in its menu."""
    text = text_of(person, f"/incidents/{incident.pk}/part/decision/").partition("<dialog")[0]
    found = BUTTON.findall(text)
    bar = [words for kind, words in found if kind != "menu__item"]
    return bar, [words for kind, words in found if kind == "menu__item"]


def test_where_there_is_nothing_to_approve_taking_it_over_is_the_button(
    service: Service, shweta: User
) -> None:
    incident = rows.incident(
        service, status="ESCALATED", step="", waits_for="Somebody has to look."
    )
    bar, menu = buttons(shweta, incident)
    assert bar == ["I have seen it", "I take it over"]
    assert not set(bar) & set(menu)


def test_no_deed_is_both_a_button_and_in_the_menu(
    service: Service, shweta: User, bhumika: User, viewer: User
) -> None:
    own = rows.asked(service)
    own.fixes.update(proposer=shweta)
    asked = rows.asked(service)
    held = rows.asked(service, taken_over_by=shweta)
    seen = {
        (person.role, incident.pk): buttons(person, incident)
        for person in (shweta, bhumika, viewer)
        for incident in (own, asked, held)
    }
    assert all(not set(bar) & set(menu) for bar, menu in seen.values())
    assert seen[shweta.role, own.pk][0] == ["I have seen it", "Ask a colleague"]
    assert seen[shweta.role, asked.pk][0] == []
    assert seen[shweta.role, held.pk][0] == ["Hand back"]
    assert seen[bhumika.role, asked.pk][0] == ["I have seen it", "Ask Shweta"]
    assert seen[viewer.role, asked.pk] == ([], [])


def test_whoever_looks_at_what_another_has_in_hand_is_not_sent_to_ask(
    service: Service, shweta: User, yash: User
) -> None:
    held = rows.asked(service, taken_over_by=yash)
    assert buttons(shweta, held)[0] == []


def test_a_fix_without_proof_is_marked_where_it_is_offered(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    path = f"/incidents/{incident.pk}/part/head/"
    assert "doubt" not in text_of(shweta, path)
    Trial.objects.filter(fix__incident=incident).update(passed=False)
    offer = text_of(shweta, path).partition("doubt")[2].partition("</p>")[0]
    assert "Proof failed" in offer


def test_of_a_long_path_the_head_shows_the_end(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    path = f"{'deep/' * 30}prices.py"
    incident.fixes.update(actions=[{"kind": "edit", "path": path}])
    head = text_of(shweta, f"/incidents/{incident.pk}/part/head/")
    assert "/deep/prices.py." in head
    assert path not in head
    assert f"Edit {path}" in text_of(shweta, f"/incidents/{incident.pk}/part/body/")


def test_a_fix_that_was_undone_is_offered_to_nobody_again(service: Service, shweta: User) -> None:
    incident = rows.resolved(service, shweta)
    incident.deployments.update(state="undone", undone_at=timezone.now())
    Incident.objects.filter(pk=incident.pk).update(
        status="ESCALATED",
        ended_at=None,
        waits_for="The last fix was undone. A person has to look.",
    )
    bar = text_of(shweta, f"/incidents/{incident.pk}/part/decision/")
    assert "Deploy this fix?" not in bar
    assert 'data-open-dialog="reject-dialog"' not in bar
    assert "I take it over" in buttons(shweta, incident)[0]
    assert "The agent wants to" not in text_of(shweta, f"/incidents/{incident.pk}/part/head/")
    ServiceHealth.objects.filter(service=service).update(state="down")
    fix = incident.fixes.get()
    with pytest.raises(Conflict, match="no such candidate"):
        people.choose(incident_id=incident.pk, person=shweta, fix_digest=fix.digest)
    for override in (False, True):
        with pytest.raises(Conflict, match="went live already"):
            approvals.authorise(
                incident_id=incident.pk,
                fix_digest=fix.digest,
                person=shweta,
                reason="again",
                override=override,
            )
    assert Incident.objects.get(pk=incident.pk).status == "ESCALATED"


def test_what_one_has_in_hand_is_not_asked_of_another(
    service: Service, shweta: User, yash: User
) -> None:
    incident = rows.asked(service, waits_for="Shweta (team lead) is asked to approve.")
    people.take_over(incident_id=incident.pk, person=shweta)
    line = f'href="/incidents/{incident.pk}/"'
    for person, mine, not_mine in ((shweta, "needs", "waits"), (yash, "waits", "needs")):
        text = text_of(person, "/")
        assert line in section(text, mine)
        assert line not in section(text, not_mine)
        assert "Shweta has it; the agent&#x27;s hands are off." in text
        assert "is asked to approve" not in section(text, mine)
