"""The learning page: what was learned, what it does to confidence now, and whether promises were kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import Any
from urllib.parse import urlencode

from incidents.confidence import learning
from incidents.models import Decision, Incident, LearningRecord
from incidents.queries import charts
from incidents.queries.lessons import MOST, Case, weighed
from incidents.states import WAITING

PAGE = 50
BINS = ((0.0, 0.5), (0.5, 0.6), (0.6, 0.7), (0.7, 0.8), (0.8, 0.9), (0.9, 1.0))
CASES_SHOWN = 12
KIND_WORDS = {
    "auto": "Deployed alone",
    "approve": "Approved",
    "override": "Overridden",
    "reject": "Rejected",
    "request_changes": "Changes requested",
    "verified": "Healthy after the fix",
    "relapsed": "Relapsed, undone",
    "undone": "Undone",
}


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Promises of one range: how many, what was promised on average, and how many held."""

    low: float
    high: float
    promised: Sequence[float]
    held: int

    @property
    def count(self) -> int:
        """Return how many promises fell into the range."""
        return len(self.promised)

    @property
    def mean(self) -> float | None:
        """Return what was promised on average."""
        return sum(self.promised) / self.count if self.count else None

    @property
    def share(self) -> float | None:
        """Return the share that held."""
        return self.held / self.count if self.count else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % Wilson interval of the share: few promises say little."""
        if not self.count:
            return None
        z, n, p = 1.96, self.count, self.held / self.count
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, middle - half), min(1.0, middle + half)


def bins(promises: Iterable[tuple[float, bool]]) -> list[Bin]:
    """Sort (promised confidence, held) into ranges; the last one includes its upper end."""
    given = list(promises)
    found = []
    for low, high in BINS:
        inside = [(p, h) for p, h in given if low <= p < high or (high == 1.0 and p == 1.0)]
        held = sum(h for _, h in inside)
        found.append(Bin(low=low, high=high, promised=[p for p, _ in inside], held=held))
    return found


def calibration() -> dict[str, Any]:
    """Return promised confidence against what held, as a chart with its table; one query."""
    settled = LearningRecord.objects.filter(
        kind__in=LearningRecord.OUTCOMES, held__isnull=False, excluded_at=None, confidence__gt=0
    )
    sorted_in = bins((c, bool(h)) for c, h in settled.values_list("confidence", "held"))
    labels = [f"{part.low:.1f}-{part.high:.1f}" for part in sorted_in]
    chart = charts.lines(
        "Promised confidence against what held",
        labels,
        [
            charts.Series(name="Held", values=[_percent(part.share) for part in sorted_in]),
            charts.Series(name="Promised", values=[_percent(part.mean) for part in sorted_in]),
        ],
        unit=" %",
    )
    rows = [_calibration_row(label, part) for label, part in zip(labels, sorted_in, strict=True)]
    head = ["Confidence", "Fixes", "Promised", "Held", "Likely between"]
    return {
        "chart": {**chart, "table": charts.Table(head=head, rows=rows)},
        "count": sum(part.count for part in sorted_in),
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)


def _calibration_row(label: str, part: Bin) -> list[str]:
    if part.mean is None or part.share is None or part.interval is None:
        return [label, "0", "-", "-", "-"]
    low, high = part.interval
    return [
        label,
        str(part.count),
        f"{100 * part.mean:.0f} %",
        f"{100 * part.share:.0f} % ({part.held})",
        f"{100 * low:.0f} and {100 * high:.0f} %",
    ]


def effects(*, now: datetime) -> list[dict[str, Any]]:
    """Return the commonest kinds of case with what learning would change for one of them today; one query."""
    settled = LearningRecord.objects.filter(held__isnull=False, excluded_at=None)
    rows = list(settled.order_by("-id")[:MOST])
    kinds = Counter((row.category, row.fix_kind, row.service_slug) for row in rows)
    cases = [
        Case(fingerprint="", category=category, fix_kind=fix_kind, service_slug=slug)
        for (category, fix_kind, slug), _ in kinds.most_common(CASES_SHOWN)
    ]
    return [_effect(case, rows, now) for case in cases]


def _effect(case: Case, rows: list[LearningRecord], now: datetime) -> dict[str, Any]:
    term = learning([weighed(row, case, now) for row in rows if row.category == case.category])
    return {"case": case, "change": f"{term.value:+.2f}", "note": term.note}


def open_cases() -> list[dict[str, Any]]:
    """Return the incidents that wait, with what learning did to the confidence of their fix; two queries."""
    waiting = Incident.objects.filter(status__in=WAITING).select_related("service")[:20]
    by_incident: dict[int, Decision] = {}
    scored = Decision.objects.filter(incident__in=[one.pk for one in waiting], score__gt=0)
    for decision in scored.order_by("id"):
        by_incident[decision.incident_id] = decision
    return [
        {"incident": one, "score": f"{row.score:.2f}", **_learned_in(row)}
        for one in waiting
        if (row := by_incident.get(one.pk))
    ]


def _learned_in(row: Decision) -> dict[str, str]:
    term = next((term for term in row.terms if term.get("name") == "learning"), None)
    return {
        "change": f"{term['value']:+.2f}" if term else "+0.00",
        "note": str(term["note"]) if term else "",
    }


def records(query: dict[str, str]) -> dict[str, Any]:
    """Return one page of records, newest first, by what was learned from; one query."""
    state = query.get("state", "")
    before = query.get("before", "")
    rows = LearningRecord.objects.select_related("incident", "excluded_by").order_by("-id")
    narrowed: dict[str, Any] = NARROWED.get(state, {})
    rows = rows.filter(**narrowed)
    if before.isdecimal() and len(before) < 18:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows[: PAGE + 1])
    shown = found[:PAGE]
    older = urlencode({"state": state, "before": shown[-1].pk}) if len(found) > PAGE else ""
    return {
        "records": [_record(row) for row in shown],
        "state": state,
        "older_url": f"?{older}" if older else "",
        "newer_url": f"?{urlencode({'state': state})}" if before else "",
        "views": [
            {"label": label, "url": f"?state={name}", "current": state == name}
            for name, label in VIEWS.items()
        ],
    }


NARROWED: dict[str, dict[str, Any]] = {
    "held": {"held": True, "excluded_at": None},
    "failed": {"held": False, "excluded_at": None},
    "open": {"held": None, "excluded_at": None, "kind__in": LearningRecord.OUTCOMES},
    "excluded": {"excluded_at__isnull": False},
}
VIEWS = {
    "": "All",
    "held": "Held",
    "failed": "Did not",
    "open": "Not known yet",
    "excluded": "Excluded",
}


def _record(row: LearningRecord) -> dict[str, Any]:
    held = {True: ("held", "ok"), False: ("did not hold", "danger"), None: ("not known yet", "")}
    words, tone = held[row.held]
    if row.kind not in LearningRecord.OUTCOMES:  # a person's word is no outcome
        words = {None: "judged by its outcome", False: "refused"}.get(row.held, words)
    return {
        "row": row,
        "kind": KIND_WORDS.get(row.kind, row.kind),
        "words": words,
        "tone": tone,
        "category": row.category.replace("_", " "),
        "confidence": f"{row.confidence:.2f}" if row.confidence else "-",
    }
