"""What people do on the page: each POST is judged on the server, whatever the page had shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from incidents.models import Incident
from monitoring.models import Service
from teams.models import User
from tests.incidents import rows

BACKEND = "teams.backend.PeopleBackend"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def service(db: None) -> Service:
    return rows.shop(autonomy="ask")


def as_person(person: User, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(person, backend=BACKEND)
    return client


def do(who: User, incident: Incident, name: str, **said: str) -> Any:
    return as_person(who).post(f"/incidents/{incident.pk}/do/{name}/", said, headers=HTMX)


def toast(answer: Any) -> str:
    return str(json.loads(answer.headers["HX-Trigger"])["toast"]["text"])


def status(incident: Incident) -> str:
    return str(Incident.objects.get(pk=incident.pk).status)


@pytest.mark.parametrize(
    ("who", "name", "allowed"),
    [
        ("shweta", "reject", True),
        ("yash", "reject", True),
        ("bhumika", "reject", False),
        ("maya", "reject", False),
        ("viewer", "reject", False),
        ("shweta", "request_changes", True),
        ("bhumika", "request_changes", False),
        ("bhumika", "acknowledge", True),
        ("viewer", "acknowledge", False),
        ("yash", "take_over", True),
        ("bhumika", "take_over", False),
        ("yash", "close", True),
        ("bhumika", "close", False),
    ],
)
def test_each_role_may_do_what_the_matrix_says(
    service: Service, request: Any, who: str, name: str, allowed: bool
) -> None:
    person = request.getfixturevalue(who)
    incident = rows.asked(service, severity="medium")
    before = Incident.objects.values().get(pk=incident.pk)
    answer = do(person, incident, name, reason="because")
    assert answer.status_code == (200 if allowed else 403)
    if not allowed:
        assert Incident.objects.values().get(pk=incident.pk) == before


def test_a_post_without_the_token_is_refused(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    client = as_person(shweta, enforce_csrf_checks=True)
    answer = client.post(f"/incidents/{incident.pk}/do/reject/", {"reason": "no"}, headers=HTMX)
    assert answer.status_code == 403
    assert status(incident) == "AWAITING_APPROVAL"


def test_a_get_does_nothing(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    assert as_person(shweta).get(f"/incidents/{incident.pk}/do/reject/").status_code == 405


def test_another_digest_is_a_conflict_with_its_reason_and_a_fresh_bar(
    service: Service, shweta: User
) -> None:
    incident = rows.asked(service)
    answer = do(shweta, incident, "approve", fix_digest="0" * 64)
    assert answer.status_code == 409
    assert "not the fix that is up for decision" in toast(answer)
    assert f'value="{incident.fixes.get().digest}"' in answer.content.decode()
    assert status(incident) == "AWAITING_APPROVAL"


def test_a_click_on_an_incident_that_ended_is_a_conflict(service: Service, shweta: User) -> None:
    incident = rows.resolved(service, shweta)
    answer = do(shweta, incident, "approve", fix_digest=incident.fixes.get().digest)
    assert answer.status_code == 409
    assert "has ended" in toast(answer)


def test_a_rejection_needs_a_reason(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    assert do(shweta, incident, "reject", reason="  ").status_code == 409
    answer = do(shweta, incident, "reject", reason="Not in the night")
    assert answer.status_code == 200
    assert 'id="incident-head"' in answer.content.decode()
    assert status(incident) == "REJECTED"


def test_without_htmx_the_page_comes_back_with_the_message(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    client = as_person(shweta)
    answer = client.post(f"/incidents/{incident.pk}/do/reject/", {"reason": ""}, follow=True)
    assert answer.redirect_chain[0][0] == f"/incidents/{incident.pk}/"
    assert "Say why" in answer.content.decode()


def test_an_unknown_deed_or_incident_is_a_404(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    assert do(shweta, incident, "explode").status_code == 404
    missing = as_person(shweta).post("/incidents/999/do/reject/", {"reason": "x"})
    assert missing.status_code == 404


def test_assigning_to_nobody_is_a_404_and_to_somebody_tells_them(
    service: Service, shweta: User, yash: User
) -> None:
    incident = rows.asked(service)
    assert do(shweta, incident, "assign", person="0").status_code == 404
    assert do(shweta, incident, "assign", person=str(yash.pk)).status_code == 200
    assert Incident.objects.get(pk=incident.pk).assignee == yash


def test_a_comment_answers_with_itself_and_an_empty_form(service: Service, bhumika: User) -> None:
    incident = rows.asked(service)
    client = as_person(bhumika)
    answer = client.post(f"/incidents/{incident.pk}/comments/", {"text": "Looking"}, headers=HTMX)
    text = answer.content.decode()
    assert 'hx-swap-oob="beforeend:#comments"' in text
    assert "Looking" in text
    refused = client.post(f"/incidents/{incident.pk}/comments/", {"text": " "}, headers=HTMX)
    assert refused.status_code == 422


def test_a_viewer_may_not_comment(service: Service, viewer: User) -> None:
    incident = rows.asked(service)
    client = as_person(viewer)
    answer = client.post(f"/incidents/{incident.pk}/comments/", {"text": "Hi"}, headers=HTMX)
    assert answer.status_code == 403
    assert not incident.comments.exists()
    assert 'id="comment-form"' not in client.get(f"/incidents/{incident.pk}/").content.decode()


def test_a_refused_person_gets_a_button_that_asks_by_name(
    service: Service, bhumika: User, yash: User
) -> None:
    incident = rows.asked(service, severity="medium")
    page = as_person(bhumika).get(f"/incidents/{incident.pk}/").content.decode()
    assert "this is medium; ask Yash (senior dev)." in page
    assert ">Ask Yash</button>" in page


def test_while_somebody_has_it_approve_is_closed_and_says_why(
    service: Service, shweta: User, yash: User
) -> None:
    incident = rows.asked(service, severity="medium")
    do(yash, incident, "take_over")
    page = as_person(shweta).get(f"/incidents/{incident.pk}/").content.decode()
    assert "Yash has it: nothing is deployed before it is handed back." in page
    assert 'id="approve-dialog"' not in page


def test_who_may_override_is_not_sent_to_ask_themselves(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    fix = incident.fixes.get()
    fix.trial.passed = False
    fix.trial.save()
    page = as_person(shweta).get(f"/incidents/{incident.pk}/").content.decode()
    assert "only a team lead may override that" in page
    assert 'id="override-dialog"' in page
    assert "/do/ask/" not in page
