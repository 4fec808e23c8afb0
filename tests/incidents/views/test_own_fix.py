"""The form of a person's own fix: what it offers, what it refuses next to which field, and that it is judged on the server."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from incidents.models import Fix, Incident
from incidents.pipeline import people
from incidents.queries import page
from monitoring.models import Blob, Service
from teams.models import AuditEntry, User
from tests.incidents import rows
from tests.incidents.views.test_deeds import HTMX, as_person, status

LINE = '    return json.dumps(check_subsystems("ok"))'
CURED = '    return json.dumps({"status": "ok"})'


@pytest.fixture
def incident(db: None) -> Incident:
    return rows.asked(rows.shop(autonomy="ask"), severity="high")


def address(incident: Incident) -> str:
    return f"/incidents/{incident.pk}/propose/"


def said(**fields: Any) -> dict[str, Any]:
    """Return the form as the browser sends it when nothing was touched but these fields."""
    given = {"edit-TOTAL_FORMS": "1", "edit-INITIAL_FORMS": "1", "reason": "It worked before"}
    given |= {"edit-0-path": "handler.py", "edit-0-old": LINE, "edit-0-new": LINE}
    return {**given, **{name.replace("__", "-"): value for name, value in fields.items()}}


def propose(who: User, incident: Incident, **fields: Any) -> Any:
    return as_person(who).post(address(incident), said(**fields), headers=HTMX)


def newest(incident: Incident) -> Fix:
    return incident.fixes.order_by("-id")[0]


def boxes(page: str) -> list[str]:
    return re.findall(r'name="hunks" value="([^"]+)"', page)


def test_it_offers_the_blamed_line_the_editable_files_and_what_changed(
    incident: Incident, bhumika: User
) -> None:
    page = as_person(bhumika).get(address(incident)).content.decode()
    assert '<option value="handler.py" selected>' in page
    assert page.count("check_subsystems(&quot;ok&quot;)") >= 3, "old, new and the checklist"
    whole, hunk = boxes(page)
    assert whole == "file:handler.py"
    assert len(hunk) == 12


def test_ticked_changes_become_a_fix_that_is_tried_alone(incident: Incident, yash: User) -> None:
    _, hunk = boxes(as_person(yash).get(address(incident)).content.decode())
    answer = propose(yash, incident, hunks=[hunk])
    assert answer.status_code == 200, answer.content.decode()
    fix = newest(incident)
    assert fix.actions == [{"kind": "revert", "path": "handler.py", "hunks": [hunk]}]
    assert (fix.proposer, fix.explanation) == (yash, "It worked before")
    assert fix.state == Fix.State.CANDIDATE
    assert status(incident) == "TESTING"
    assert AuditEntry.objects.filter(verb="proposed", actor=yash.email).exists()
    page = answer.content.decode()
    assert '<div id="own-fix"></div>' in page
    assert 'id="incident-decision"' in page


def test_while_it_is_tried_the_page_shows_it_and_not_the_one_put_aside(
    incident: Incident, yash: User
) -> None:
    propose(yash, incident, restart="on")
    assert page.load(incident.pk).fix == newest(incident)


def test_several_actions_make_one_fix(incident: Incident, shweta: User) -> None:
    manifest = Blob.keep({"other.py": b"a = 1\nb = 2\n"})
    row = incident.evidence.get()
    row.current |= manifest
    row.last_good = {**(row.last_good or {}), **manifest}
    row.save()
    answer = propose(
        shweta,
        incident,
        edit__TOTAL_FORMS="3",
        edit__0__new=CURED,
        edit__1__path="other.py",
        edit__1__old="a = 1\r\nb = 2",
        edit__1__new="a = 3\r\nb = 2",
        edit__2__path="",
        restart="on",
    )
    assert answer.status_code == 200, answer.content.decode()
    kinds = [action["kind"] for action in newest(incident).actions]
    assert kinds == ["edit", "edit", "restart"]
    after = Blob.read({p: d["after"] for p, d in newest(incident).writes.items()})
    assert after == {"handler.py": rows.GOOD, "other.py": b"a = 3\nb = 2\n"}


def test_the_whole_file_can_be_put_back(incident: Incident, shweta: User) -> None:
    assert propose(shweta, incident, hunks=["file:handler.py"]).status_code == 200
    assert newest(incident).actions == [{"kind": "revert", "path": "handler.py", "hunks": []}]


def test_changed_environment_variables_are_offered_by_name_only(
    incident: Incident, shweta: User
) -> None:
    row = incident.evidence.get()
    row.environment, row.last_good_environment = {"DB": "hidden-77"}, {"DB": "old-88"}
    row.save()
    page = as_person(shweta).get(address(incident)).content.decode()
    assert 'name="names" value="DB"' in page
    assert "hidden-77" not in page
    assert "old-88" not in page
    assert propose(shweta, incident, names=["DB"]).status_code == 200
    assert newest(incident).environment == {"DB": "old-88"}


@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        ({"reason": ""}, "own-fix-reason", "This field is required."),
        ({}, "", "Choose at least one change"),
        ({"edit__0__old": "no such text", "edit__0__new": "x"}, "id_edit-0-old", "was not found"),
        ({"edit__0__old": "return", "edit__0__new": "x"}, "id_edit-0-old", "more than once"),
        ({"edit__0__old": "", "edit__0__new": "x"}, "id_edit-0-old", "Give the text"),
        ({"edit__0__path": "", "edit__0__new": "x"}, "id_edit-0-path", "Choose the file"),
        ({"edit__0__path": "/etc/passwd", "edit__0__new": "x"}, "id_edit-0-path", "not one of"),
        ({"edit__0__path": "../x.py", "edit__0__new": "x"}, "id_edit-0-path", "not one of"),
        ({"hunks": ["000000000000"]}, "own-fix-hunks", "not one of"),
        ({"edit__0__new": "x" * 20_001}, "id_edit-0-new", "at most 20000"),
        ({"edit__TOTAL_FORMS": "99999"}, "", "at most 10"),
        ({"edit__TOTAL_FORMS": "x"}, "", "ManagementForm"),
    ],
)
def test_what_does_not_fit_is_said_next_to_its_field_and_nothing_is_lost(
    incident: Incident, shweta: User, fields: dict[str, Any], place: str, message: str
) -> None:
    before = incident.fixes.count()
    answer = propose(shweta, incident, **{"reason": "My own words", **fields})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert message in page
    if place:
        _, _, after = page.partition(f'id="{place}_error"')
        assert message in after.partition("</div>")[0]
    for value in {"reason": "My own words", **fields}.values():
        if isinstance(value, str) and " " in value:
            assert value in page, "what was typed is lost"
    assert incident.fixes.count() == before
    assert status(incident) == "AWAITING_APPROVAL"


def test_one_more_edit_keeps_what_was_typed_and_complains_of_nothing(
    incident: Incident, shweta: User
) -> None:
    fields = {"more": "1", "reason": "", "edit__0__new": "half <typed>", "restart": "on"}
    whole = "file:handler.py"
    answer = propose(shweta, incident, **fields, hunks=[whole])
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "half &lt;typed&gt;" in page
    assert 'name="edit-1-old"' in page
    assert f'value="{whole}" checked' in page
    assert re.search(r'name="restart"[^>]*checked', page)
    assert "field__error" not in page
    assert status(incident) == "AWAITING_APPROVAL"


def test_it_works_without_scripts(incident: Incident, shweta: User) -> None:
    client = as_person(shweta)
    page = client.get(address(incident)).content.decode()
    assert "<h1" in page
    refused = client.post(address(incident), said(reason=""))
    assert refused.status_code == 422
    assert "<h1" in refused.content.decode()
    done = client.post(address(incident), said(restart="on"), follow=True)
    assert done.redirect_chain[0][0] == f"/incidents/{incident.pk}/"
    assert "Your fix is up" in done.content.decode()


@pytest.mark.parametrize(("who", "code"), [("maya", 403), ("viewer", 403), ("bhumika", 200)])
def test_who_may_not_propose_gets_neither_form_nor_fix(
    incident: Incident, request: Any, who: str, code: int
) -> None:
    person = request.getfixturevalue(who)
    page = as_person(person).get(f"/incidents/{incident.pk}/").content.decode()
    assert (f'href="{address(incident)}"' in page) is (code == 200)
    assert as_person(person).get(address(incident)).status_code == code
    assert propose(person, incident, restart="on").status_code == code


def test_a_post_without_the_token_is_refused(incident: Incident, shweta: User) -> None:
    client: Client = as_person(shweta, enforce_csrf_checks=True)
    assert client.post(address(incident), said(restart="on")).status_code == 403
    assert status(incident) == "AWAITING_APPROVAL"


def test_an_incident_that_does_not_wait_says_so_and_keeps_the_text(
    incident: Incident, shweta: User
) -> None:
    Incident.objects.filter(pk=incident.pk).update(status="TESTING", step="trial")
    assert "does not wait now" in as_person(shweta).get(address(incident)).content.decode()
    answer = propose(shweta, incident, restart="on", reason="Keep these words")
    assert answer.status_code == 422
    assert "can be proposed when it waits" in answer.content.decode()
    assert "Keep these words" in answer.content.decode()


def test_nobody_approves_what_they_proposed(incident: Incident, shweta: User) -> None:
    propose(shweta, incident, restart="on")
    fix = newest(incident)
    Incident.objects.filter(pk=incident.pk).update(status="AWAITING_APPROVAL", step="")
    Fix.objects.filter(pk=fix.pk).update(state=Fix.State.CHOSEN)
    answer = as_person(shweta).post(
        f"/incidents/{incident.pk}/do/approve/", {"fix_digest": fix.digest}, headers=HTMX
    )
    assert answer.status_code == 409
    assert "Nobody approves their own proposal" in answer.headers["HX-Trigger"]


def test_who_took_it_over_gives_it_back_by_proposing_and_others_cannot(
    incident: Incident, shweta: User, yash: User
) -> None:
    people.take_over(incident_id=incident.pk, person=yash)
    refused = propose(shweta, incident, restart="on")
    assert refused.status_code == 422
    assert f"{yash} has it" in refused.content.decode()
    assert "gives it back" in as_person(yash).get(address(incident)).content.decode()
    assert propose(yash, incident, restart="on").status_code == 200
    incident.refresh_from_db()
    assert incident.taken_over_by is None
    assert (incident.status, incident.step) == ("TESTING", "trial")


def test_a_service_may_have_thousands_of_files(db: None, shweta: User) -> None:
    service: Service = rows.shop(autonomy="ask")
    incident = rows.asked(service, severity="high")
    row = incident.evidence.get()
    many = dict.fromkeys((f"m{n}.py" for n in range(3000)), row.current["handler.py"])
    row.current, row.last_good = {**row.current, **many}, {**(row.last_good or {}), **many}
    row.save()
    assert as_person(shweta).get(address(incident)).status_code == 200
