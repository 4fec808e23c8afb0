"""The list and the page of an incident: who sees what, at how many queries, and how what is typed by strangers is shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from incidents.models import Decision, Deployment, Evidence, Fix, Incident, SafetyReview, Trial
from monitoring.models import Service, ServiceHealth
from teams.models import User
from tests.incidents import rows

BACKEND = "teams.backend.PeopleBackend"


@pytest.fixture
def service(db: None) -> Service:
    return rows.shop()


def as_person(person: User) -> Client:
    client = Client()
    client.force_login(person, backend=BACKEND)
    return client


def text_of(person: User, path: str, **headers: str) -> str:
    answer = as_person(person).get(path, headers=headers)
    assert answer.status_code == 200, path
    return answer.content.decode()


def section(text: str, name: str) -> str:
    return text.partition(f'id="list-{name}"')[2].partition("</section>")[0]


@pytest.mark.parametrize(
    "path",
    ["/", "/incidents/1/", "/incidents/1/part/head/", "/incidents/1/log.txt", "/incidents/1/diff/"],
)
def test_nobody_sees_a_page_signed_out(client: Client, db: None, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize(
    ("who", "severity", "where"),
    [
        ("shweta", "blocker", "needs"),
        ("yash", "medium", "needs"),
        ("yash", "high", "waits"),
        ("bhumika", "low", "needs"),
        ("bhumika", "medium", "waits"),
        ("maya", "low", "waits"),
        ("viewer", "low", "waits"),
    ],
)
def test_what_waits_stands_first_for_those_who_may_decide(
    service: Service, request: Any, who: str, severity: str, where: str
) -> None:
    incident = rows.asked(service, severity=severity)
    text = text_of(request.getfixturevalue(who), "/")
    link = f'href="/incidents/{incident.pk}/"'
    assert link in section(text, where)
    assert text.count(link) == 1


def test_an_assigned_incident_needs_its_assignee(service: Service, bhumika: User) -> None:
    incident = rows.asked(service, severity="blocker", assignee=bhumika)
    assert f"/incidents/{incident.pk}/" in section(text_of(bhumika, "/"), "needs")


def test_the_empty_list_teaches_and_offers_a_fault_to_those_who_may(
    service: Service, shweta: User, bhumika: User
) -> None:
    assert "Inject a fault into Shop API" in text_of(shweta, "/")
    told = text_of(bhumika, "/")
    assert "No incident yet" in told
    assert "Inject a fault" not in told


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?group=ended", ["done"]),
        ("?group=waiting", ["asked"]),
        ("?severity=high", ["done"]),
        ("?service=shop", ["asked", "done"]),
        ("?service=nothing", []),
        ("?q=keyerror", ["done"]),
        ("?q=%25", []),
        ("?group=nonsense&severity=worst&page=-1", ["asked", "done"]),
        ("?page=99999999999999999999", ["asked", "done"]),
        ("?group=all&page=2", []),
    ],
)
def test_a_filter_finds_and_nonsense_in_an_address_is_left_out(
    service: Service, shweta: User, query: str, found: list[str]
) -> None:
    ids = {
        "asked": rows.asked(service).pk,
        "done": rows.resolved(service, shweta, title="Shop API: KeyError on GET /api/orders").pk,
    }
    text = text_of(shweta, f"/{query}")
    assert {name for name, pk in ids.items() if f'href="/incidents/{pk}/"' in text} == set(found)


def test_the_filter_answers_htmx_with_the_rows_and_a_clean_address(
    service: Service, shweta: User
) -> None:
    headers = {"HX-Request": "true", "HX-Target": "incident-list"}
    answer = as_person(shweta).get("/?q=&group=ended&service=", headers=headers)
    assert answer.headers["HX-Push-Url"] == "/?group=ended"
    assert "<html" not in answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/?group=all"])
def test_the_list_costs_the_same_number_of_queries_for_ten_and_for_forty(
    service: Service, shweta: User, django_assert_max_num_queries: Any, path: str
) -> None:
    client = as_person(shweta)
    counts = []
    for _ in range(2):
        for number in range(10):
            ended = {"status": "RESOLVED", "ended_at": timezone.now()} if number % 2 else {}
            rows.incident(service, **ended)
            rows.incident(service, status="AWAITING_APPROVAL", assignee=shweta)
        with django_assert_max_num_queries(24) as captured:
            client.get(path)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_the_page_costs_the_same_number_of_queries_however_much_happened(
    service: Service, shweta: User
) -> None:
    from django.db import connection

    incident = rows.asked(service)
    client = as_person(shweta)
    counts = []
    for turn in range(2):
        with CaptureQueriesContext(connection) as captured:
            client.get(f"/incidents/{incident.pk}/")
        counts.append(len(captured))
        for number in range(30):
            rows.say(incident, "joined", f"again {number}")
            fix = rows.proposed(incident, state=Fix.State.LOST, explanation=f"{turn} {number}")
            rows.tried(fix)
    assert counts[0] == counts[1]
    assert counts[0] < 40


@pytest.mark.parametrize(
    ("who", "severity", "words"),
    [
        ("shweta", "blocker", ""),
        ("yash", "medium", ""),
        (
            "yash",
            "high",
            "Your role may approve up to medium; this is high; ask Shweta (team lead).",
        ),
        ("bhumika", "blocker", "Your role may approve up to low; this is a blocker; ask Shweta"),
        ("maya", "low", "Your role may not approve; ask"),
        ("viewer", "low", "Your role may not approve; ask"),
    ],
)
def test_the_approve_button_is_for_those_who_may_and_the_others_are_told_whom_to_ask(
    service: Service, request: Any, who: str, severity: str, words: str
) -> None:
    person = request.getfixturevalue(who)
    for other in ("shweta", "yash", "bhumika"):
        request.getfixturevalue(other)
    incident = rows.asked(service, severity=severity)
    text = text_of(person, f"/incidents/{incident.pk}/")
    assert ('id="approve-dialog"' in text) == (not words)
    assert words in text


def test_without_proof_nobody_is_offered_to_approve_and_the_lead_may_override(
    service: Service, shweta: User, yash: User
) -> None:
    incident = rows.asked(service, severity="medium")
    incident.fixes.get().trial.delete()
    rows.tried(incident.fixes.get(), passed=False)
    lead = text_of(shweta, f"/incidents/{incident.pk}/")
    assert "The fix did not pass its trial" in lead
    assert 'id="override-dialog"' in lead
    assert 'id="approve-dialog"' not in lead
    assert 'id="override-dialog"' not in text_of(yash, f"/incidents/{incident.pk}/")


def test_an_expired_question_is_not_offered(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    Decision.objects.update(expires_at=timezone.now())
    assert "The question has expired" in text_of(shweta, f"/incidents/{incident.pk}/")


@pytest.mark.parametrize(
    "path", ["/incidents/999/", "/incidents/999/part/head/", "/incidents/999/diff/"]
)
def test_what_is_not_there_is_a_404(db: None, shweta: User, path: str) -> None:
    answer = as_person(shweta).get(path)
    assert answer.status_code == 404


def test_what_strangers_wrote_is_shown_as_text(service: Service, shweta: User) -> None:
    evil = "<script>alert(1)</script>"
    incident = rows.asked(service, title=f"Shop API: {evil}")
    row = Evidence.objects.get()
    row.items = [item | {"body": f"{item['body']}\n{evil}"} for item in row.items]
    row.pack = row.pack | {"log_tail": evil}
    row.save()
    Fix.objects.update(
        diff=f"diff --git a/x.py b/x.py\n@@ -1 +1 @@\n-{evil}\n+{evil}2\n", explanation=evil
    )
    incident.diagnoses.update(root_cause=evil, plain=evil, analogy=evil)
    rows.say(incident, "joined", evil, actor=evil)
    for path in (f"/incidents/{incident.pk}/", f"/incidents/{incident.pk}/log/", "/"):
        assert "<script>alert" not in text_of(shweta, path)


@pytest.mark.parametrize(
    ("url", "link"),
    [
        (
            "https://github.com/example/shop.git",
            "https://github.com/example/shop/blob/main/handler.py#L22",
        ),
        (
            "https://gitlab.example.com/a/b/",
            "https://gitlab.example.com/a/b/-/blob/main/handler.py#L22",
        ),
    ],
)
def test_the_place_links_to_the_exact_line(shweta: User, url: str, link: str) -> None:
    incident = rows.asked(rows.shop(repository_url=url))
    assert f'href="{link}"' in text_of(shweta, f"/incidents/{incident.pk}/")


def test_an_address_that_is_no_web_address_is_no_link(shweta: User) -> None:
    incident = rows.asked(rows.shop(repository_url="javascript:alert(1)//"))
    assert "javascript:" not in text_of(shweta, f"/incidents/{incident.pk}/")


def test_every_status_has_its_page(service: Service, shweta: User) -> None:
    from incidents.states import Status

    incident = rows.asked(service)
    for status in Status:
        Incident.objects.filter(pk=incident.pk).update(status=status)
        assert status.value in text_of(shweta, f"/incidents/{incident.pk}/")


def head_of(person: User, incident: Incident) -> str:
    return text_of(person, f"/incidents/{incident.pk}/part/head/")


def bar_of(person: User, incident: Incident) -> str:
    return text_of(person, f"/incidents/{incident.pk}/part/decision/")


def test_the_head_says_what_the_agent_wants_and_why_it_may_be_trusted(
    service: Service, shweta: User
) -> None:
    incident = rows.asked(service)
    text = head_of(shweta, incident)
    assert "Put 1 change in handler.py back to last known good." in text
    assert "Proof passed, safety passed, confidence 0.90." in text
    assert "19 of 24 checks failed" in text
    Trial.objects.update(passed=False)
    SafetyReview.objects.update(passed=False)
    assert "Proof failed, safety objects, confidence 0.90." in head_of(shweta, incident)
    ended = head_of(shweta, rows.resolved(service, shweta))
    assert "The agent wants to" not in ended
    assert "checks failed" not in ended


def test_the_question_names_a_restart(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    assert "Deploy this fix?" in bar_of(shweta, incident)
    Fix.objects.update(actions=[{"kind": "restart"}], diff="", writes={})
    text = bar_of(shweta, incident)
    assert "Restart the service?" in text
    assert "Deploy this fix?" not in text


def test_without_a_fix_there_is_nothing_to_reject(service: Service, shweta: User) -> None:
    incident = rows.incident(service, status="ESCALATED", waits_for="An expert has to look.")
    text = bar_of(shweta, incident)
    assert 'data-open-dialog="reject-dialog"' not in text
    assert 'data-open-dialog="close-dialog"' in text
    assert "The cause was not found" in text_of(shweta, f"/incidents/{incident.pk}/")


def test_the_list_says_decide_only_where_something_can_be_decided(
    service: Service, shweta: User
) -> None:
    incident = rows.incident(service, status="ESCALATED", waits_for="An expert has to look.")
    decide = f'href="/incidents/{incident.pk}/#incident-decision"'
    assert incident.title in section(text_of(shweta, "/"), "needs")
    assert decide not in text_of(shweta, "/")
    fix = rows.proposed(incident)
    assert decide in text_of(shweta, "/")
    other = rows.proposed(incident, state="candidate", rank=2)
    given = rows.ruled(incident, fix, Decision.Kind.APPROVE)
    Deployment.objects.create(incident=incident, fix=fix, decision=given, state="undone")
    assert decide not in text_of(shweta, "/")  # it went live already and was undone
    Fix.objects.filter(pk=fix.pk).update(state="lost")
    assert decide in text_of(shweta, "/")  # about the other one
    Fix.objects.filter(pk=other.pk).update(state="lost")
    assert decide not in text_of(shweta, "/")
    Incident.objects.filter(pk=incident.pk).update(status="AWAITING_APPROVAL")
    assert decide in text_of(shweta, "/")
    Incident.objects.filter(pk=incident.pk).update(taken_over_by=shweta)
    assert decide not in text_of(shweta, "/")


def test_the_bar_stays_in_reach_only_for_whom_it_has_a_deed(
    service: Service, shweta: User, bhumika: User
) -> None:
    incident = rows.incident(service, status="ESCALATED", waits_for="An expert has to look.")
    assert "decision-bar--still" not in bar_of(shweta, incident)
    assert "I take it over" in bar_of(shweta, incident)
    Incident.objects.filter(pk=incident.pk).update(
        taken_over_by=bhumika, acknowledged_at=incident.detected_at
    )
    assert "decision-bar--still" in bar_of(shweta, incident)


def test_what_a_person_took_over_is_not_shown_as_the_agents_work(
    service: Service, shweta: User, yash: User
) -> None:
    fields = {"status": "INVESTIGATING", "severity": "blocker", "assignee": yash}
    incident = rows.incident(service, taken_over_by=yash, **fields)
    for person, where in [(yash, "needs"), (shweta, "waits")]:
        text = section(text_of(person, "/"), where)
        assert incident.title in text
        assert "Yash has it" in text
        assert "Decide" not in text
        assert incident.title not in section(text_of(person, "/"), "working")


def test_an_answer_that_was_as_expected_is_not_shown_as_a_failure(
    service: Service, shweta: User
) -> None:
    incident = rows.asked(service)
    path = f"/incidents/{incident.pk}/"
    assert text_of(shweta, path).count("receipt__before") == 1
    trial = Trial.objects.get()
    for line in trial.receipt["requests"]:
        line["before"] = line["expected"]
    trial.save()
    assert "receipt__before" not in text_of(shweta, path)


def test_the_timeline_names_an_actor_once(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    rows.say(incident, "reviewed", "Safety review (the guard): passed", actor="the guard")
    text = text_of(shweta, f"/incidents/{incident.pk}/")
    assert "<strong>the guard</strong> Safety review: passed" in text


def test_a_service_that_is_down_has_no_latency(service: Service, shweta: User) -> None:
    paths = ["/incidents/fragments/header/health/", "/services/", "/services/shop/"]
    for state, shown in [("healthy", True), ("down", False)]:
        ServiceHealth.objects.update(state=state, latency_ms=12.4)
        for path in paths:
            assert ("12 ms" in text_of(shweta, path)) == shown, (path, state)


def test_a_long_diff_comes_in_part_and_whole_on_demand(service: Service, shweta: User) -> None:
    incident = rows.asked(service)
    lines = "".join(f"+line {number}\n" for number in range(3000))
    Fix.objects.update(diff=f"diff --git a/big.py b/big.py\n@@ -0,0 +1,3000 @@\n{lines}")
    text = text_of(shweta, f"/incidents/{incident.pk}/")
    assert "line 2999" not in text
    assert "Show 2,701 more lines" in text
    assert "line 2999" in text_of(shweta, f"/incidents/{incident.pk}/diff/?whole=1&view=split")


def test_fragments_for_other_pages(service: Service, shweta: User) -> None:
    incident = rows.asked(service, assignee=shweta)
    for path in ("/incidents/fragments/of-service/shop/", "/incidents/fragments/team-work/"):
        text = text_of(shweta, path)
        assert f"/incidents/{incident.pk}/" in text
        assert "<html" not in text
