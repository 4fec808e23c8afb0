"""Figures against a hand-computed week: every number below was worked out on paper from the times in `week`."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from incidents.models import (
    AgentRun,
    Decision,
    Escalation,
    Incident,
    LearningRecord,
    ModelExchange,
    TimelineEntry,
)
from incidents.queries import analytics, analytics_page, charts
from incidents.queries.analytics_rows import Rows, Span, load
from incidents.states import Status
from monitoring.models import Service
from teams import tokens
from teams.models import User
from tests.incidents import made

MONDAY = date(2026, 3, 2)
SPAN = Span(first=MONDAY, last=MONDAY + timedelta(days=6))


def at(day: int, hour: float) -> datetime:
    return datetime(2026, 3, 2 + day, tzinfo=UTC) + timedelta(hours=hour)


def case(of: Service, detected: datetime, minutes: float | None, **fields: Any) -> Incident:
    values = {
        "status": Status.RESOLVED,
        "severity": "medium",
        "failed_since": detected - timedelta(seconds=10),
        "detected_at": detected,
        "ended_at": detected + timedelta(minutes=minutes) if minutes is not None else None,
    }
    return made.incident(of, **{**values, **fields})


@pytest.fixture
def week(shweta: User, yash: User) -> Service:
    """Six incidents in the week and one before it.

    1 Mon 10:00 code, fixed alone in 2 min, cause A         2 Tue 10:00 code, cause A again, alone in 4 min
    3 Tue 12:00 config, approved by Shweta 5 min after the question, resolved in 20 min, acknowledged after 3 min
    4 Wed 09:00 slow, says auto but Yash commented: not alone, resolved in 10 min
    5 Thu 09:00 recovered by itself after 1 min              6 Fri 09:00 blocker, still open
    """
    shop, other = made.service(name="Shop"), made.service(name="Other")
    case(shop, at(0, 10), 2, auto_resolved=True, fingerprint="A")
    case(shop, at(1, 10), 4, auto_resolved=True, fingerprint="A", reopened=1)
    third = case(
        shop,
        at(1, 12),
        20,
        category="config",
        severity="high",
        acknowledged_at=at(1, 12) + timedelta(minutes=8),
    )
    Escalation.objects.create(
        incident=third, attempt=1, first_acknowledged_at=at(1, 12) + timedelta(minutes=3)
    )
    common = {"incident": third, "attempt": 1, "severity": "high"}
    Decision.objects.create(kind="ask", created_at=at(1, 12) + timedelta(minutes=1), **common)
    approval = {"kind": "approve", "actor": shweta, "created_at": at(1, 12) + timedelta(minutes=6)}
    Decision.objects.create(**approval, **common)
    lesson = {"service_slug": "shop", "category": "config", "fingerprint": "x", "fix_kind": "edit"}
    LearningRecord.objects.create(incident=third, attempt=1, kind="verified", held=True, **lesson)
    fourth = case(other, at(2, 9), 10, auto_resolved=True, category="slow")
    looked = {"incident": fourth, "kind": "comment", "actor": "Yash", "text": "I looked"}
    TimelineEntry.objects.create(at=at(2, 9) + timedelta(minutes=1), **looked)
    case(shop, at(3, 9), 1, status=Status.RECOVERED, category="unknown", severity="low")
    case(shop, at(4, 9), None, status=Status.AWAITING_APPROVAL, severity="blocker")
    case(shop, at(-1, 23), 5)
    run = AgentRun.objects.create(incident=third, attempt=1, author="Claude")
    for cost, read in ((0.10, 1000), (0.05, 500)):
        ModelExchange.objects.create(
            run=run,
            turn=1,
            cost_usd=cost,
            input_tokens=read,
            output_tokens=100,
            cache_read_tokens=10,
        )
    return shop


def test_the_main_figures_are_those_worked_out_by_hand(week: Service) -> None:
    found = analytics.summary(load(SPAN))
    assert found == {
        "total": 6,
        "open": 1,
        "resolved": 4,
        "resolution_rate": 0.6667,
        "auto_fixed": 2,
        "auto_fix_rate": 0.3333,
        "false_positives": 1,
        "false_positive_rate": 0.1667,
        "mttd": {"count": 6, "median": 10.0, "p90": 10.0},
        "mtta": {"count": 1, "median": 180.0, "p90": 180.0},
        "mttr": {"count": 4, "median": 420.0, "p90": 1200.0},
        "recurring": 1,
        "reopened": 1,
        "cost_usd": 0.15,
        "tokens": 1720,
    }


def test_a_service_alone(week: Service) -> None:
    only = Span(first=SPAN.first, last=SPAN.last, service=week.slug)
    found = analytics.summary(load(only))
    assert (found["total"], found["auto_fixed"], found["mttr"]["median"]) == (5, 2, 240.0)


def test_breakdowns(week: Service) -> None:
    rows = load(SPAN)
    assert dict(analytics.by_severity(rows)) == {
        "blocker": 1, "critical": 0, "high": 1, "medium": 3, "low": 1,
    }  # fmt: skip
    assert dict(analytics.by_category(rows)) == {"code": 3, "config": 1, "slow": 1, "unknown": 1}
    assert [(row["service"], row["total"]) for row in analytics.by_service(rows)] == [
        ("Other", 1),
        ("Shop", 5),
    ]
    assert [row["count"] for row in analytics.recurrences(rows)] == [2]


def test_who_decided_how_fast_and_what_held(week: Service) -> None:
    assert analytics.team(load(SPAN)) == [
        {
            "person": "Shweta",
            "decisions": 1,
            "kinds": {"approve": 1},
            "time_to_decide": {"count": 1, "median": 300.0, "p90": 300.0},
            "held": 1,
            "outcomes": 1,
        }
    ]


def test_days_are_buckets_and_long_spans_are_weeks(week: Service) -> None:
    days = analytics.over_time(load(SPAN))
    assert [day["total"] for day in days] == [1, 2, 1, 1, 1, 0, 0]
    assert [day["alone"] for day in days] == [1, 1, 0, 0, 0, 0, 0]
    assert [day["mttr"] for day in days] == [120.0, 720.0, 600.0, None, None, None, None]
    weeks = analytics.over_time(load(Span(first=MONDAY - timedelta(days=70), last=SPAN.last)))
    assert [week["day"].weekday() for week in weeks] == [0] * 11
    assert [week["total"] for week in weeks][-2:] == [1, 6]


@pytest.mark.parametrize(
    ("values", "median", "p90"),
    [
        ([], None, None),
        ([5], 5, 5),
        ([1, 3], 2, 3),
        (list(range(1, 11)), 5.5, 9),
        ([None, 4], 4, 4),
    ],
)
def test_median_and_ninetieth_percentile(values: list[float], median: Any, p90: Any) -> None:
    found = analytics.spread(values)
    assert (found["median"], found["p90"]) == (median, p90)


def test_nothing_gives_no_rates_instead_of_zeros(matrix: None) -> None:
    found = analytics.summary(Rows(span=SPAN, cases=[]))
    assert found["resolution_rate"] is None
    assert found["mttr"]["median"] is None


@pytest.mark.parametrize("touch", ["assigned", "taken_over", "approve", "acknowledged"])
def test_a_persons_hand_in_it_is_never_counted_as_alone(matrix: None, touch: str) -> None:
    row = case(made.service(), at(0, 10), 2, auto_resolved=True)
    assert load(SPAN).cases[0].alone
    meanwhile = at(0, 10) + timedelta(minutes=1)
    TimelineEntry.objects.create(incident=row, kind=touch, actor="Shweta", text="-", at=meanwhile)
    assert not load(SPAN).cases[0].alone


def test_what_is_said_after_the_end_took_no_part_in_it(matrix: None) -> None:
    row = case(made.service(), at(0, 10), 2, auto_resolved=True)
    said = {"incident": row, "kind": "comment", "actor": "Yash", "text": "As last week"}
    TimelineEntry.objects.create(at=at(0, 11), **said)
    assert load(SPAN).cases[0].alone


def test_decisions_are_told_as_done(client: Client, shweta: User, week: Service) -> None:
    client.force_login(shweta)
    page = client.get("/analytics/?from=2026-03-02&to=2026-03-08").content.decode()
    assert "1 approved" in page


def test_days_are_those_of_the_persons_zone(client: Client, shweta: User, week: Service) -> None:
    User.objects.filter(pk=shweta.pk).update(time_zone="Asia/Kolkata")
    client.force_login(shweta)
    shown = client.get("/analytics/?from=2026-03-02&to=2026-03-02")
    assert shown.context["stats"][0]["value"] == "2"  # Sunday 23:00 UTC is Monday in India


@pytest.mark.parametrize(
    "query",
    ["", "days=7", "days=999999", "days=-1", "from=nonsense&to=2026-13-40", "from=2030-01-01&to=2026-03-01",
     "service=%00", "from=0001-01-01&to=9999-12-30"],
)  # fmt: skip
def test_any_address_gives_a_page(client: Client, shweta: User, week: Service, query: str) -> None:
    client.force_login(shweta)
    assert client.get(f"/analytics/?{query}").status_code == 200


def test_the_csv_has_one_line_an_incident_and_runs_nothing(
    client: Client, shweta: User, week: Service
) -> None:
    Incident.objects.filter(severity="blocker").update(title="=HYPERLINK(1)")
    client.force_login(shweta)
    answer = client.get("/analytics/incidents.csv?from=2026-03-02&to=2026-03-08")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == 6
    assert lines[-1]["title"] == "'=HYPERLINK(1)"
    assert lines[2]["seconds_to_acknowledge"] == "180.0"
    assert [line["alone"] for line in lines] == ["True", "True", "False", "False", "False", "False"]


def test_the_api_gives_the_same_figures(client: Client, shweta: User, week: Service) -> None:
    token = tokens.issue(shweta, "test", origin="test")
    headers = {"Authorization": f"Bearer {token}"}
    answer = client.get("/api/v1/analytics?from=2026-03-02&to=2026-03-08", headers=headers)
    body = answer.json()
    assert (body["total"], body["auto_fix_rate"], body["mttr"]["median"]) == (6, 0.3333, 420.0)
    assert body["over_time"][0]["day"] == "2026-03-02"
    assert body["notes"] == []
    later = client.get("/api/v1/analytics?to=2190-01-01", headers=headers).json()
    assert "has not come yet" in later["notes"][0]
    assert client.get("/api/v1/analytics").status_code == 401


@pytest.mark.parametrize(
    ("query", "said"),
    [("from=nonsense", "“nonsense” is no day"), ("service=gone", "“gone”"), ("days=x", "“x” is no number"),
     ("from=2026-03-05&to=2026-03-02", "is after the last")],
)  # fmt: skip
def test_the_api_refuses_what_it_does_not_understand(
    client: Client, shweta: User, week: Service, query: str, said: str
) -> None:
    token = tokens.issue(shweta, "test", origin="test")
    headers = {"Authorization": f"Bearer {token}"}
    answer = client.get(f"/api/v1/analytics?{query}", headers=headers)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_the_page_costs_the_same_for_few_and_for_many(
    client: Client, shweta: User, week: Service, django_assert_max_num_queries: Any
) -> None:
    client.force_login(shweta)
    address = "/analytics/?from=2026-03-02&to=2026-03-08"
    client.get(address)
    with django_assert_max_num_queries(40) as few:
        client.get(address)
    for number in range(30):
        case(week, at(number % 7, 8), 3)
    with django_assert_max_num_queries(len(few)):
        client.get(address)


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (0.3, 0.5), (1, 1), (3, 5), (7, 10), (10, 10), (11, 20), (430, 500)]
)
def test_axes_end_at_round_numbers(value: float, top: float) -> None:
    assert charts.nice_top(value) == pytest.approx(top)


def test_charts_stay_in_their_box_and_break_at_gaps() -> None:
    series = [charts.Series(name="a", values=[1, 2, None, 4, 5, None, 7])]
    chart = charts.lines("t", [str(n) for n in range(7)], series)
    assert len(chart["series"][0]["parts"]) == 2
    assert len(chart["series"][0]["dots"]) == 5
    for dot in chart["series"][0]["dots"]:
        assert 0 <= dot["x"] <= charts.WIDTH
        assert 0 <= dot["y"] <= charts.HEIGHT
    bars = charts.stacked("t", ["x"], [*series[:0], charts.Series(name="b", values=[3])])
    assert bars["bars"][0]["height"] == pytest.approx((charts.HEIGHT - 40) * 3 / 4)


@pytest.mark.parametrize(
    ("minutes", "unit", "value"),
    [(0.05, "seconds", 3.0), (2.0, "minutes", 2.0), (180.0, "hours", 3.0)],
)
def test_the_time_to_resolve_is_drawn_in_the_unit_that_it_takes(
    matrix: None, minutes: float, unit: str, value: float
) -> None:
    case(made.service(), at(0, 9), minutes)
    chart = analytics_page.page(load(SPAN))["mttr_chart"]
    assert chart["title"] == f"Time to resolve, in {unit}"
    assert chart["table"].rows[0] == ["2 Mar", f"{value:g}"]


def test_today_is_the_last_day_of_the_default_span() -> None:
    today = timezone.localdate()
    span = Span.of({}, today=today)
    assert (span.last, len(span.days)) == (today, 30)


LAST_30 = (date(2026, 2, 7), MONDAY + timedelta(days=6))


@pytest.mark.parametrize(
    ("query", "said", "shown"),
    [
        ({"from": "nonsense"}, ["“nonsense” is no day"], LAST_30),
        ({"from": "0026-03-02"}, ["“0026-03-02” is no day"], LAST_30),
        ({"to": "2026-02-30"}, ["“2026-02-30” is no day"], LAST_30),
        ({"from": "2026-03-05", "to": "2026-03-02"}, ["5 March 2026, is after"], (date(2026, 2, 1), MONDAY)),
        ({"from": "2026-03-02", "to": "2190-01-01"}, ["1 January 2190 has not"], (MONDAY, LAST_30[1])),
        ({"from": "2190-01-01", "to": "2190-01-09"}, ["is after", "has not come"], LAST_30),
        ({"from": "2001-01-01"}, ["Three years"], (date(2023, 3, 6), LAST_30[1])),
        ({"days": "many"}, ["“many” is no number"], LAST_30),
        ({"days": "99999"}, ["“99999” is no number"], LAST_30),
        ({"days": "7", "from": "", "to": ""}, [], (MONDAY, LAST_30[1])),
    ],
)  # fmt: skip
def test_what_of_a_range_cannot_be_followed_is_said(
    query: dict[str, str], said: list[str], shown: tuple[date, date]
) -> None:
    span = Span.of(query, today=LAST_30[1])
    assert (span.first, span.last) == shown
    assert len(span.notes) == len(said)
    assert all(words in note for words, note in zip(said, span.notes, strict=True))


@pytest.mark.django_db
def test_the_page_says_what_it_did_not_understand(client: Client, shweta: User) -> None:
    client.force_login(shweta)
    page = client.get("/analytics/?from=<nonsense>&service=gone").content.decode()
    assert "“&lt;nonsense&gt;” is no day" in page
    assert "No service has the short name “gone”" in page
    assert "notice--warn" not in client.get("/analytics/?days=7").content.decode()
