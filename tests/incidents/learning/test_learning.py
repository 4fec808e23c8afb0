from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from incidents import providers
from incidents.confidence import learning
from incidents.models import Decision, Deployment, Incident, LearningRecord
from incidents.pipeline import exclusion
from incidents.pipeline.gates import Conflict
from incidents.pipeline.learn import learn
from incidents.queries import learning as reads
from incidents.queries.lessons import Case, lessons_for
from incidents.states import Status, Step
from teams.access import AccessRefused
from teams.models import AuditEntry, User
from tests.incidents import made
from tests.incidents.made import NOON

CASE = Case(fingerprint="p", category="code", fix_kind="revert", service_slug="shop")


def record(**fields: Any) -> LearningRecord:
    values: dict[str, Any] = {
        "incident": made.incident(status=Status.RESOLVED),
        "attempt": 1,
        "kind": "verified",
        "service_slug": "shop",
        "category": "code",
        "fingerprint": "p",
        "fix_kind": "revert",
        "confidence": 0.9,
        "held": True,
        "at": NOON,
    }
    return LearningRecord.objects.create(**{**values, **fields})


def weights(**fields: Any) -> list[float]:
    record(**fields)
    return [lesson.weight for lesson in lessons_for(CASE, now=NOON)]


@pytest.mark.parametrize(
    ("fields", "weight"),
    [
        ({}, 1.0),
        ({"category": "config"}, 1.0),
        ({"fingerprint": "q"}, 0.5),
        ({"fingerprint": "q", "service_slug": "other"}, 0.25),
        ({"fingerprint": "q", "fix_kind": "edit"}, 0.25),
        ({"at": NOON - timedelta(days=45)}, 0.5),
        ({"at": NOON - timedelta(days=90)}, 0.25),
        ({"kind": "reject", "held": False}, 0.5),
    ],
)
def test_the_same_cause_and_recent_outcomes_count_most(
    matrix: None, fields: dict[str, Any], weight: float
) -> None:
    assert weights(**fields) == [pytest.approx(weight)]


@pytest.mark.parametrize(
    "fields",
    [
        {"fingerprint": "q", "category": "config"},
        {"held": None},
        {"excluded_at": NOON},
    ],
)
def test_what_is_unlike_unknown_or_excluded_says_nothing(
    matrix: None, fields: dict[str, Any]
) -> None:
    assert weights(**fields) == []


def test_nothing_learns_from_itself(matrix: None) -> None:
    row = record()
    assert lessons_for(CASE, now=NOON, without=row.incident_id) == []


def test_the_estimate_is_a_smoothed_share_and_its_reason_is_shown(matrix: None) -> None:
    for number in range(8):
        record(held=number != 0)
    term = learning(lessons_for(CASE, now=NOON))
    assert term.note == "7 of 8 similar fixes held, 7 of 8 of the same cause"
    assert term.value == pytest.approx(((2 + 7) / (4 + 8) - 0.5) * 0.4)


def learned(state: str, **fields: Any) -> list[tuple[str, bool | None]]:
    incident = made.incident(status=Status.RESOLVED, step=Step.LEARN)
    made.deployed(incident, state=state, **fields)
    learn(incident, providers.tools())
    rows = LearningRecord.objects.filter(incident=incident).order_by("id")
    return list(rows.values_list("kind", "held"))


def test_an_outcome_is_open_while_it_is_watched(matrix: None) -> None:
    assert learned("healthy") == [("auto", None), ("verified", None)]
    assert learned("healthy", settled_at=NOON) == [("auto", None), ("verified", True)]
    assert learned("undone") == [("auto", None), ("relapsed", False)]
    assert learned("undone", healthy_at=None) == [("auto", None), ("undone", False)]


def test_an_open_outcome_becomes_what_it_turned_out_to_be(matrix: None) -> None:
    incident = made.incident(status=Status.RESOLVED, step=Step.LEARN)
    deployment = made.deployed(incident)
    learn(incident, providers.tools())
    Deployment.objects.filter(pk=deployment.pk).update(state="undone")
    Incident.objects.filter(pk=incident.pk).update(step=Step.LEARN)
    learn(Incident.objects.get(pk=incident.pk), providers.tools())
    outcome = LearningRecord.objects.get(incident=incident, kind__in=LearningRecord.OUTCOMES)
    assert (outcome.kind, outcome.held) == ("relapsed", False)


def test_a_rejection_is_kept_with_the_confidence_that_was_shown(shweta: User) -> None:
    incident = made.incident(status=Status.REJECTED, step=Step.LEARN)
    fix = made.fix(incident)
    common = {"incident": incident, "attempt": 1, "fix": fix, "severity": "high"}
    Decision.objects.create(kind="ask", score=0.77, **common)
    Decision.objects.create(kind="reject", actor=shweta, **common)
    learn(incident, providers.tools())
    row = LearningRecord.objects.get()
    assert (row.kind, row.held, row.confidence) == ("reject", False, 0.77)


def test_promises_fall_into_bins_and_the_shares_are_right() -> None:
    given = [(0.95, True), (0.95, True), (0.9, False), (1.0, True), (0.89, True), (0.55, False)]
    by_low = {part.low: part for part in reads.bins(given)}
    assert (by_low[0.9].count, by_low[0.9].held) == (4, 3)
    assert by_low[0.9].mean == pytest.approx(0.95)
    assert by_low[0.9].share == 0.75
    assert by_low[0.8].count == 1
    assert by_low[0.5].share == 0
    assert by_low[0.6].share is None
    low, high = by_low[0.9].interval or (0, 0)
    assert (round(low, 2), round(high, 2)) == (0.30, 0.95)


def test_the_chart_and_its_table_show_settled_outcomes_only(matrix: None) -> None:
    record(confidence=0.95, held=True)
    record(confidence=0.92, held=False)
    record(confidence=0.92, held=None)
    record(confidence=0.92, held=True, excluded_at=NOON)
    record(confidence=0.92, held=False, kind="reject")
    shown = reads.calibration()
    assert shown["count"] == 2
    assert shown["chart"]["table"].rows[-1][:4] == ["0.9-1.0", "2", "94 %", "50 % (1)"]


def test_a_manager_leaves_a_record_out_with_a_reason_and_on_record(
    client: Client, maya: User
) -> None:
    row = record()
    client.force_login(maya)
    client.post(f"/learning/{row.pk}/", {"reason": " "})
    row.refresh_from_db()
    assert row.excluded_at is None
    client.post(f"/learning/{row.pk}/", {"reason": "a drill"})
    row.refresh_from_db()
    assert (row.excluded_by, row.excluded_reason) == (maya, "a drill")
    assert lessons_for(CASE, now=NOON) == []
    with pytest.raises(Conflict, match="first"):
        exclusion.exclude(record=row, person=maya, reason="again", now=timezone.now())
    client.post(f"/learning/{row.pk}/", {"include": "1"})
    assert len(lessons_for(CASE, now=NOON)) == 1
    assert list(AuditEntry.objects.values_list("verb", flat=True)) == [
        "learning.included",
        "learning.excluded",
    ]


def test_a_senior_may_not_leave_anything_out(client: Client, yash: User) -> None:
    row = record()
    client.force_login(yash)
    assert client.post(f"/learning/{row.pk}/", {"reason": "x"}).status_code == 403
    with pytest.raises(AccessRefused):
        exclusion.exclude(record=row, person=yash, reason="x", now=NOON)
    assert "Leave out" not in client.get("/learning/").content.decode()


def test_the_page_costs_the_same_for_ten_records_and_for_forty(
    client: Client, shweta: User, django_assert_max_num_queries: Any
) -> None:
    client.force_login(shweta)
    for _ in range(10):
        record()
    client.get("/learning/")
    with django_assert_max_num_queries(40) as few:
        client.get("/learning/")
    for number in range(30):
        record(category=("code", "config", "slow")[number % 3], fix_kind=f"k{number}")
    with django_assert_max_num_queries(len(few)):
        client.get("/learning/")
    assert len(client.get("/learning/?state=held").context["records"]) == 40
    assert client.get("/learning/?state=nonsense&before=%00").status_code == 200
