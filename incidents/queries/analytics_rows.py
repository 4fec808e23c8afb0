"""The rows behind the analytics: read once a page, at a constant number of queries, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import F, Min, Q, QuerySet, Sum
from django.utils import timezone

from incidents.models import Decision, Escalation, Fix, Incident, LearningRecord, ModelExchange
from incidents.models.incident import TimelineEntry
from monitoring.models import Service

MOST = 20_000
LONGEST_DAYS = 3 * 366
FIRST_YEAR, LAST_YEAR = 2000, 2200
DEFAULT_DAYS = 30
SHOWN = 40
"""Characters of what was not understood."""
# What only people do; entries of these kinds mean that somebody had a hand in it.
BY_PEOPLE = (
    "acknowledged",
    "approve",
    "asked_for_help",
    "assigned",
    "chosen",
    "closed",
    "comment",
    "handed_back",
    "override",
    "reject",
    "request_changes",
    "taken_over",
)


@dataclass(frozen=True, kw_only=True)
class Span:
    """Whole days, the last one included, and one service ("" for all).

    Of what was asked, `wrong` says what could not be understood, for which the default stands, and `cut` what was left out.
    """

    first: date
    last: date
    service: str = ""
    wrong: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()

    @classmethod
    def of(cls, query: dict[str, str], *, today: date) -> Span:
        """Read `from`, `to` (ISO dates), `days` and `service`; the default are all services and 30 days."""
        wrong: list[str] = []
        cut: list[str] = []
        last = _day(query.get("to", ""), wrong) or today
        if last > today:
            cut.append(f"{_words(last)} has not come yet: the figures end today.")
            last = today
        days = _number(query.get("days", ""), wrong)
        first = _first(query.get("from", ""), last, days, wrong)
        oldest = last - timedelta(days=LONGEST_DAYS)
        if first < oldest:
            cut.append(f"Three years are the most: the figures begin on {_words(oldest)}.")
            first = oldest
        service = _service(query.get("service", ""), wrong)
        return cls(first=first, last=last, service=service, wrong=tuple(wrong), cut=tuple(cut))

    @property
    def notes(self) -> tuple[str, ...]:
        """Return all that was not followed."""
        return self.wrong + self.cut

    @property
    def days(self) -> list[date]:
        """Return every day."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    def bounds(self) -> tuple[datetime, datetime]:
        """Return the beginning and the end (exclusive) in the present time zone."""
        zone = timezone.get_current_timezone()
        begin = datetime.combine(self.first, time.min, tzinfo=zone)
        return begin, datetime.combine(self.last + timedelta(days=1), time.min, tzinfo=zone)


def _number(text: str, wrong: list[str]) -> int:
    if text and not (text.isdecimal() and len(text) < 6 and 1 <= int(text) <= LONGEST_DAYS):
        wrong.append(f"“{text[:SHOWN]}” is no number of days from 1 to {LONGEST_DAYS}.")
        return DEFAULT_DAYS
    return int(text) if text else DEFAULT_DAYS


def _first(text: str, last: date, days: int, wrong: list[str]) -> date:
    day, usual = _day(text, wrong), last - timedelta(days=days - 1)
    if day is not None and day > last:
        wrong.append(f"The first day, {_words(day)}, is after the last, {_words(last)}.")
        return usual
    return day or usual


def _service(text: str, wrong: list[str]) -> str:
    slug = text.replace("\x00", "")[:SHOWN]
    if slug and not Service.objects.filter(slug=slug).exists():
        wrong.append(f"No service has the short name “{slug}”: every service is counted.")
        return ""
    return slug


def _day(text: str, wrong: list[str]) -> date | None:
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError:
        day = date.min
    if day is None or FIRST_YEAR <= day.year <= LAST_YEAR:
        return day
    wrong.append(
        f"“{text[:SHOWN]}” is no day from {FIRST_YEAR} to {LAST_YEAR}, such as 2026-03-02."
    )
    return None


def _words(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One incident as the figures need it; times are aware, None for what never happened."""

    id: int
    title: str
    service: str
    status: str
    severity: str
    category: str
    fingerprint: str
    failed_since: datetime | None
    detected_at: datetime
    acknowledged_at: datetime | None
    ended_at: datetime | None
    reopened: int
    alone: bool
    changed: bool
    cost_usd: float = 0.0
    tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One decision of a person: how long after the question, and whether it held (None: not known, or a no)."""

    person: str
    kind: str
    seconds: float | None
    held: bool | None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Everything of a span."""

    span: Span
    cases: list[Case]
    decisions: list[Judged] = field(default_factory=list)


def load(span: Span) -> Rows:
    """Read a span: seven queries, whatever there is in it."""
    begin, end = span.bounds()
    found = Incident.objects.filter(detected_at__gte=begin, detected_at__lt=end)
    if span.service:
        found = found.filter(service__slug=span.service)
    touched = _touched(found)
    first_seen = _first_seen(found)
    spent = _spent(found)
    changed = set(found.filter(deployments__isnull=False).values_list("id", flat=True))
    rows = found.select_related("service").order_by("detected_at", "id")[:MOST]
    cases = [
        replace(
            _case(row, first_seen.get(row.pk), touched=row.pk in touched),
            changed=row.pk in changed,
            **spent.get(row.pk, {}),
        )
        for row in rows
    ]
    return Rows(span=span, cases=cases, decisions=_decisions(found))


def _case(row: Incident, first_seen: datetime | None, *, touched: bool) -> Case:
    return Case(
        id=row.pk,
        title=row.title,
        service=row.service.name,
        status=row.status,
        severity=row.severity,
        category=row.category,
        fingerprint=row.fingerprint,
        failed_since=row.failed_since,
        detected_at=row.detected_at,
        acknowledged_at=first_seen or row.acknowledged_at,
        ended_at=row.ended_at,
        reopened=row.reopened,
        alone=row.auto_resolved and not touched and row.acknowledged_at is None,
        changed=False,
    )


def _touched(found: QuerySet[Incident]) -> set[int]:
    """Return the incidents in which a person had a hand, in whatever way, before they were over."""
    acts = TimelineEntry.objects.filter(incident__in=found, kind__in=BY_PEOPLE)
    acts = acts.filter(Q(incident__ended_at=None) | Q(at__lte=F("incident__ended_at")))
    decided = Decision.objects.filter(incident__in=found, actor__isnull=False)
    proposed = Fix.objects.filter(incident__in=found, proposer__isnull=False)
    by_act, by_decision, by_fix = (
        rows.order_by().values_list("incident_id") for rows in (acts, decided, proposed)
    )
    ids = by_act.union(by_decision, by_fix)
    return {row[0] for row in ids}


def _first_seen(found: QuerySet[Incident]) -> dict[int, datetime]:
    """Return when somebody first acknowledged, also where that lapsed later."""
    seen = Escalation.objects.filter(incident__in=found, first_acknowledged_at__isnull=False)
    rows = seen.values("incident_id").annotate(at=Min("first_acknowledged_at"))
    return {row["incident_id"]: row["at"] for row in rows.order_by()}


def _spent(found: QuerySet[Incident]) -> dict[int, dict[str, Any]]:
    asked = ModelExchange.objects.filter(run__incident__in=found).order_by()
    rows = asked.values("run__incident_id").annotate(
        cost=Sum("cost_usd"),
        read=Sum("input_tokens"),
        cached=Sum("cache_read_tokens") + Sum("cache_write_tokens"),
        written=Sum("output_tokens"),
    )
    return {
        row["run__incident_id"]: {
            "cost_usd": row["cost"],
            "tokens": row["read"] + row["cached"] + row["written"],
        }
        for row in rows
    }


def _decisions(found: QuerySet[Incident]) -> list[Judged]:
    """Return what people decided; the clock runs from the rules' question about the same attempt."""
    rows = Decision.objects.filter(incident__in=found).select_related("actor").order_by("id")
    asked: dict[tuple[int, int], datetime] = {}
    held = _held(found)
    judged = []
    for row in rows:
        key = row.incident_id, row.attempt
        if row.actor is None:
            asked[key] = row.created_at
            continue
        since = asked.get(key)
        judged.append(
            Judged(
                person=row.actor.name,
                kind=row.kind,
                seconds=(row.created_at - since).total_seconds() if since else None,
                held=held.get(key) if row.permits_deploy else None,
            )
        )
    return judged


def _held(found: QuerySet[Incident]) -> dict[tuple[int, int], bool | None]:
    outcomes = LearningRecord.objects.filter(
        incident__in=found, kind__in=LearningRecord.OUTCOMES, excluded_at=None
    )
    return {(i, a): held for i, a, held in outcomes.values_list("incident_id", "attempt", "held")}
