"""What is rendered for a push: once for all who see the same, never with another role's buttons, at few queries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from incidents.consumers import fragments
from incidents.consumers.client import Viewer
from incidents.consumers.fragments import Region, Rendered, Who
from incidents.models import Incident
from monitoring.models import Service
from teams.models import User
from tests.incidents import rows


@pytest.fixture
def service(db: None) -> Service:
    return rows.shop()


def whos(*people: User) -> set[Who]:
    return {(person.role, person.time_zone, person.pk) for person in people}


def pushed(incident: Incident, *people: User) -> tuple[Rendered, Rendered]:
    quick, rest = fragments.incident(incident.pk, whos(*people), seen=0, comment=0)
    return quick, rest()


def of(rendered: Rendered, person: User) -> dict[str, str]:
    regions = rendered.regions[Viewer(person.role, person.time_zone)]
    return {region.name: region.html for region in regions}


def test_an_incident_costs_the_same_for_one_role_and_for_four(
    service: Service, shweta: User, yash: User, bhumika: User, viewer: User
) -> None:
    incident = rows.asked(service)
    counts = []
    for people in ((shweta,), (shweta, yash, bhumika, viewer)):
        with CaptureQueriesContext(connection) as captured:
            pushed(incident, *people)
        counts.append(len(captured))
    assert counts == [15, 15]


def test_the_list_costs_the_same_for_one_role_and_for_four(
    service: Service, shweta: User, yash: User, bhumika: User, viewer: User
) -> None:
    rows.asked(service)
    counts = []
    for people in ((shweta,), (shweta, yash, bhumika, viewer)):
        with CaptureQueriesContext(connection) as captured:
            fragments.incident_list(whos(*people))
        counts.append(len(captured))
    assert counts == [7, 7]


def test_what_looks_the_same_is_one_object_and_what_does_not_is_not(
    service: Service, shweta: User, yash: User, bhumika: User
) -> None:
    quick, rest = pushed(rows.asked(service), shweta, yash, bhumika)
    assert of(quick, shweta)["head"] is of(quick, bhumika)["head"]
    assert of(rest, shweta)["receipt"] is of(rest, yash)["receipt"]
    lead, senior = of(quick, shweta)["decision"], of(quick, yash)["decision"]
    assert 'id="approve-dialog"' in lead
    assert 'id="approve-dialog"' not in senior
    assert escape("ask Shweta (team lead)") in senior
    junior = of(fragments.incident_list(whos(shweta, bhumika)), bhumika)
    assert "Decide" not in "".join(junior.values())


def test_only_who_may_choose_is_shown_the_button_for_another_candidate(
    service: Service, shweta: User, bhumika: User
) -> None:
    incident = rows.asked(service)
    rows.tried(rows.proposed(incident, rank=2, digest="d" * 64, state="candidate"))
    _, rest = pushed(incident, bhumika, shweta)
    assert "Put this one up instead" in of(rest, shweta)["fix"]
    assert "Put this one up instead" not in of(rest, bhumika)["fix"]


def test_each_time_zone_has_its_own_times(service: Service, shweta: User, yash: User) -> None:
    User.objects.filter(pk=yash.pk).update(time_zone="Asia/Kolkata")
    yash.refresh_from_db()
    incident = rows.asked(service)
    listed = fragments.incident_list(whos(shweta, yash))
    quick, _ = pushed(incident, shweta, yash)
    assert of(quick, shweta)["head"] != of(quick, yash)["head"]
    assert quick.entries[shweta.time_zone] != quick.entries["Asia/Kolkata"]
    assert of(listed, shweta)["list-needs"] != of(listed, yash)["list-waits"]


def test_who_was_promoted_a_moment_ago_shows_nobody_a_button_too_many(
    service: Service, yash: User, bhumika: User, viewer: User
) -> None:
    incident = rows.asked(service, severity="medium")
    before = whos(bhumika, viewer)
    User.objects.filter(pk=viewer.pk).update(role="team_lead")
    quick, _ = fragments.incident(incident.pk, before, seen=0, comment=0)
    assert Viewer("viewer", viewer.time_zone) not in quick.regions
    assert 'id="approve-dialog"' not in of(quick, bhumika)["decision"]


def test_head_and_bar_do_without_the_log(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    with CaptureQueriesContext(connection) as captured:
        _, rest = fragments.incident(incident.pk, whos(shweta), seen=0, comment=0)
    assert not any("incidents_evidence" in query["sql"] for query in captured)
    assert rest().regions


def test_whom_a_deed_may_name_is_escaped_and_chosen(service: Service, shweta: User) -> None:
    eve = User.objects.create(email="eve@example.com", display_name="<b>Eve</b>", role="junior_dev")
    incident = rows.asked(service, assignee=eve)
    shown = of(pushed(incident, shweta)[0], shweta)["decision"]
    assert (
        f'<option value="{eve.pk}" selected>&lt;b&gt;Eve&lt;/b&gt; ({eve.get_role_display()})<'
        in shown
    )
    assert f'<option value="{shweta.pk}">Shweta (' in shown


def test_a_dialog_that_is_made_once_says_what_its_own_incident_asks(
    service: Service, shweta: User
) -> None:
    first, second = rows.asked(service), rows.asked(service)
    for incident in (first, second, first):
        shown = of(pushed(incident, shweta)[0], shweta)["decision"]
        assert f'action="/incidents/{incident.pk}/do/approve/"' in shown
        fix = incident.fixes.get()
        assert f'name="fix_digest" value="{fix.digest}"' in shown


def test_time_that_goes_on_is_no_change(
    service: Service, shweta: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = rows.asked(service)
    first = head_of(incident, shweta)
    later = timezone.now() + timedelta(minutes=5)
    monkeypatch.setattr(timezone, "now", lambda: later)
    second = head_of(incident, shweta)
    assert "1 min 3" in first.html
    assert "6 min 3" in second.html
    assert first.same == second.same


def head_of(incident: Incident, person: User) -> Region:
    quick, _ = fragments.incident(incident.pk, whos(person), seen=0, comment=0)
    return quick.regions[Viewer(person.role, person.time_zone)][0]
