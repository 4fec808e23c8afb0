from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from incidents import providers
from incidents.models import ClearanceReport, Delivery, FollowUp, Incident, Notification
from incidents.pipeline import aftermath, people, runner
from incidents.pipeline.gates import Conflict
from incidents.pipeline.report import report
from incidents.queries.account import account_of
from incidents.queries.report_markdown import as_markdown, fenced
from incidents.states import Status, Step
from teams.access import AccessRefused
from teams.models import AuditEntry, User
from tests.incidents import made
from tests.incidents.made import NOON


def resolved(by: User | None = None, **fields: Any) -> Incident:
    values = {"status": Status.RESOLVED, "step": Step.REPORT, "ended_at": NOON, **fields}
    incident = made.incident(**values)
    made.diagnosis(incident)
    made.deployed(incident, by=by)
    return incident


def reported(by: User | None = None, **fields: Any) -> ClearanceReport:
    incident = resolved(by, **fields)
    report(incident, providers.tools())
    return ClearanceReport.objects.get(incident=incident)


def test_the_account_says_what_happened_when_and_by_whom(shweta: User, bhumika: User) -> None:
    incident = resolved(
        shweta, acknowledged_at=NOON + timedelta(minutes=2), acknowledged_by=bhumika
    )
    body = account_of(incident)
    assert body["root_cause"] == "price is called without parentheses"
    assert body["place"] == "pricing.py:7"
    assert body["impact"][0] == ["Out of order", "6 min 00 s"]
    assert [(row["what"], row["by"]) for row in body["times"]] == [
        ("Failing since", ""),
        ("Detected", "monitoring"),
        ("Acknowledged", "Bhumika"),
        ("Approved", "Shweta"),
        ("Deployed", "AgentOps"),
        ("Verified", "AgentOps"),
    ]
    assert body["receipt"]["passed"] is True
    assert body["reviews"][0]["verdict"] == "passed"
    assert body["outcome"] == "AgentOps deployed the fix on approval of Shweta."


def test_a_report_is_made_once_and_the_lead_is_told(shweta: User, yash: User) -> None:
    row = reported()
    told = Notification.objects.get()
    assert told.person == shweta
    assert told.link == f"/reports/{row.pk}/"
    Incident.objects.filter(pk=row.incident_id).update(step=Step.REPORT)
    report(Incident.objects.get(pk=row.incident_id), providers.tools())
    assert ClearanceReport.objects.count() == 1
    assert Notification.objects.count() == 1
    assert FollowUp.objects.filter(key="test").count() == 1


def test_secrets_stay_out_of_the_report(shweta: User) -> None:
    watched = made.service(environment={"DB_PASSWORD": "s3cr3t-of-the-shop"})
    incident = made.incident(watched, status=Status.RESOLVED, step=Step.REPORT)
    made.diagnosis(incident, root_cause="refused s3cr3t-of-the-shop", plain="token=abcdef123456")
    made.deployed(incident)
    report(incident, providers.tools())
    row = ClearanceReport.objects.get()
    for text in (str(row.body), row.markdown, row.search):
        assert "s3cr3t-of-the-shop" not in text
        assert "abcdef123456" not in text


def test_what_is_unproven_is_an_open_question(shweta: User) -> None:
    incident = resolved()
    trial = incident.deployments.get().fix.trial
    trial.reproduced = False
    trial.save()
    made.incident(incident.service, fingerprint=incident.fingerprint, status=Status.CLOSED)
    earlier = Incident.objects.exclude(pk=incident.pk).get()
    Incident.objects.filter(pk=earlier.pk).update(detected_at=NOON - timedelta(days=9))
    questions = " ".join(account_of(incident)["open_questions"])
    assert "was it the fix that helped" in questions
    assert "certain" in questions


def test_an_incident_closed_by_hand_has_a_report_too(
    shweta: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = made.incident()
    people.resolve(incident_id=incident.pk, person=shweta, reason="the disk was full")
    runner.run(incident.pk, providers.tools())
    incident.refresh_from_db()
    assert (incident.status, incident.step) == (Status.CLOSED, Step.WAIT)
    body = ClearanceReport.objects.get(incident=incident).body
    assert "the disk was full" in body["outcome"]
    assert body["fix"] is None


def test_markdown_cannot_be_broken_out_of() -> None:
    assert fenced("a\n```\n# b").startswith("````\n")
    assert fenced("plain", "diff") == "```diff\nplain\n```"


def test_markdown_holds_every_part_and_escapes_foreign_text(shweta: User) -> None:
    body = account_of(resolved(shweta, title="<script>alert(1)</script> # [x](y)"))
    text = as_markdown(body, postmortem="We learned.", follow_ups=["- [ ] Add a test"])
    assert "\\<script\\>" in text
    for title in ("Post-mortem", "Root cause", "The fix", "The proof", "Safety", "Follow-ups"):
        assert f"## {title}\n" in text
    assert "```diff\ndiff --git a/pricing.py" in text
    assert "- Detected: 2026-03-02 12:00:00 UTC, monitoring" in text


def test_a_junior_reads_no_report_unless_something_in_it_is_theirs(
    client: Client, shweta: User, bhumika: User
) -> None:
    row = reported()
    client.force_login(bhumika)
    assert client.get("/reports/").status_code == 403
    assert client.get(f"/reports/{row.pk}/").status_code == 403
    assert client.get(f"/reports/{row.pk}/report.md").status_code == 403
    task = row.follow_ups.all()[0]
    aftermath.assign_follow_up(row=task, person=shweta, assignee=bhumika)
    assert client.get(f"/reports/{row.pk}/").status_code == 200
    assert Notification.objects.filter(person=bhumika, kind="assigned").exists()
    assert client.post(f"/reports/follow-ups/{task.pk}/", {"done": "1"}).status_code == 302
    task.refresh_from_db()
    assert task.done_by == bhumika
    other = FollowUp.objects.create(report=row, text="Another")
    assert client.post(f"/reports/follow-ups/{other.pk}/", {"done": "1"}).status_code == 403


def test_a_manager_reads_but_does_not_write(client: Client, shweta: User, maya: User) -> None:
    row = reported()
    client.force_login(maya)
    assert client.get(f"/reports/{row.pk}/").status_code == 200
    with pytest.raises(AccessRefused):
        aftermath.write_postmortem(report=row, person=maya, text="x", now=timezone.now())


def test_a_post_mortem_stands_on_top_and_the_one_before_is_kept(
    client: Client, shweta: User
) -> None:
    row = reported()
    client.force_login(shweta)
    client.post(f"/reports/{row.pk}/post-mortem/", {"text": "First thoughts"})
    client.post(f"/reports/{row.pk}/post-mortem/", {"text": "Better <b>thoughts</b>"})
    page = client.get(f"/reports/{row.pk}/").content.decode()
    assert "Better &lt;b&gt;thoughts" in page
    assert AuditEntry.objects.filter(before_json__contains="First thoughts").exists()
    assert "## Post-mortem" in client.get(f"/reports/{row.pk}/report.md").content.decode()
    assert "Better" in client.get(f"/reports/{row.pk}/print/").content.decode()


def test_follow_ups_are_added_given_and_ticked_once(shweta: User, yash: User) -> None:
    row = reported()
    task = aftermath.add_follow_up(report=row, person=yash, text="  Look   at the cache ")
    assert task.text == "Look at the cache"
    aftermath.assign_follow_up(row=task, person=shweta, assignee=yash)
    now = timezone.now()
    assert aftermath.tick(row=task, person=yash, done=True, now=now)
    assert not aftermath.tick(row=task, person=shweta, done=True, now=now)
    assert aftermath.tick(row=task, person=shweta, done=False, now=now)
    with pytest.raises(Conflict):
        aftermath.add_follow_up(report=row, person=yash, text=" ")


def test_the_list_is_searched_by_words_in_any_order(client: Client, shweta: User) -> None:
    reported(title="Cart answers 500")
    reported(title="Config is not JSON")
    client.force_login(shweta)

    def found(query: str) -> list[str]:
        return [item["title"] for item in client.get(f"/reports/?{query}").context["items"]]

    assert found("q=CONFIG json") == ["Config is not JSON"]
    assert found("q=parentheses") == ["Config is not JSON", "Cart answers 500"]
    assert found("q=nothing-like-it") == []
    assert len(found("open=1")) == 2
    FollowUp.objects.update(done_at=timezone.now())
    assert found("open=1") == []
    assert found("q=%00&before=x&service=..") == []


def test_the_list_costs_the_same_for_ten_reports_and_for_twenty(
    client: Client, shweta: User, django_assert_max_num_queries: Any
) -> None:
    client.force_login(shweta)
    for _ in range(10):
        reported()
    client.get("/reports/")
    with django_assert_max_num_queries(40) as few:
        client.get("/reports/")
    for _ in range(10):
        reported()
    with django_assert_max_num_queries(len(few)):
        client.get("/reports/")


def test_a_report_goes_to_the_teams_channel_with_its_own_link(shweta: User) -> None:
    from tests.incidents.alerts.test_deliver import channel

    channel(kinds=["report"])
    row = reported()
    assert Delivery.objects.get().link == f"/reports/{row.pk}/"
