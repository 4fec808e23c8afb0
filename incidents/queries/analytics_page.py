"""The analytics as the page shows them: figures in words, and charts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from incidents.models import Decision
from incidents.queries import analytics, charts
from incidents.queries.analytics_rows import Case, Rows, Span
from incidents.queries.words import STATUS_WORDS, duration
from incidents.values import Severity
from monitoring.models import Service

RANGES = {7: "7 days", 30: "30 days", 90: "90 days", 365: "A year"}
COLUMNS = [
    "id",
    "title",
    "service",
    "status",
    "severity",
    "category",
    "fingerprint",
    "failed_since",
    "detected_at",
    "acknowledged_at",
    "ended_at",
    "reopened",
    "alone",
    "seconds_to_detect",
    "seconds_to_acknowledge",
    "seconds_to_resolve",
    "cost_usd",
    "tokens",
]
UNITS = (("hours", 3600), ("minutes", 60), ("seconds", 1))
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def page(rows: Rows) -> dict[str, Any]:
    """Return the context of the page; one query besides those of the rows."""
    figures = analytics.summary(rows)
    buckets = analytics.over_time(rows)
    return {
        "span": rows.span,
        "ranges": _ranges(rows.span),
        "services": list(Service.objects.values_list("slug", "name")),
        "csv_url": "incidents.csv?" + urlencode(_query(rows.span)),
        "empty": not rows.cases,
        "stats": _stats(figures),
        "ends_chart": _ends(buckets),
        "mttr_chart": _mttr(buckets),
        "severities": charts.shares(analytics.by_severity(rows)),
        "categories": charts.shares(
            [(name.replace("_", " "), count) for name, count in analytics.by_category(rows)]
        ),
        "by_service": [_service(row) for row in analytics.by_service(rows)],
        "recurrences": analytics.recurrences(rows),
        "team": [_person(row) for row in analytics.team(rows)],
        "levels": [level.value for level in Severity],
    }


def _query(span: Span) -> dict[str, str]:
    query = {"from": span.first.isoformat(), "to": span.last.isoformat(), "service": span.service}
    return {name: value for name, value in query.items() if value}


def _ranges(span: Span) -> list[dict[str, Any]]:
    service = {"service": span.service} if span.service else {}
    return [
        {
            "label": label,
            "url": "?" + urlencode({"days": days, **service}),
            "current": len(span.days) == days,
        }
        for days, label in RANGES.items()
    ]


def _stats(figures: dict[str, Any]) -> list[dict[str, str]]:
    return [
        _stat("Incidents", str(figures["total"]), f"{figures['open']} open"),
        _stat("Resolved", percent(figures["resolution_rate"]), f"{figures['resolved']} of all"),
        _stat("Fixed without a person", percent(figures["auto_fix_rate"]), f"{figures['auto_fixed']} of all"),
        _timed("Time to detect", figures["mttd"]),
        _timed("Time to acknowledge", figures["mtta"]),
        _timed("Time to resolve", figures["mttr"]),
        _stat("Came back", str(figures["recurring"]), f"reopened: {figures['reopened']}"),
        _stat("False alarms", percent(figures["false_positive_rate"]), f"{figures['false_positives']} recovered unchanged"),
        _stat("Cost of models", f"${figures['cost_usd']:.2f}", f"{figures['tokens']:,} tokens"),
    ]  # fmt: skip


def _stat(label: str, value: str, note: str) -> dict[str, str]:
    return {"label": label, "value": value, "note": note}


def _timed(label: str, values: dict[str, Any]) -> dict[str, str]:
    note = f"median of {values['count']}; 9 of 10 within {words(values['p90'])}"
    return _stat(label, words(values["median"]), note if values["count"] else "nothing to measure")


def percent(share: float | None) -> str:
    """Return a share in words, "-" for none."""
    return "-" if share is None else f"{100 * share:.0f} %"


def words(seconds: float | None) -> str:
    """Return a time in words, "-" for none."""
    return duration(seconds) or "-"


def _ends(buckets: list[dict[str, Any]]) -> dict[str, Any]:
    names = {
        "alone": "Fixed without a person",
        "with_people": "Resolved with people",
        "other_ends": "Ended otherwise",
        "open": "Open",
    }
    series = [
        charts.Series(name=name, values=[bucket[key] for bucket in buckets])
        for key, name in names.items()
    ]
    return charts.stacked("Incidents by the day they were detected", _days(buckets), series)


def _mttr(buckets: list[dict[str, Any]]) -> dict[str, Any]:
    longest = max((bucket["mttr"] or 0 for bucket in buckets), default=0)
    unit, size = next((one for one in UNITS if longest >= 2 * one[1]), UNITS[-1])
    values = [None if b["mttr"] is None else round(b["mttr"] / size, 2) for b in buckets]
    series = [charts.Series(name="Median", values=values)]
    return charts.lines(f"Time to resolve, in {unit}", _days(buckets), series)


def _days(buckets: list[dict[str, Any]]) -> list[str]:
    return [f"{bucket['day'].day} {bucket['day']:%b}" for bucket in buckets]


def _service(row: dict[str, Any]) -> dict[str, str]:
    return {
        "name": row["service"],
        "total": str(row["total"]),
        "resolved": percent(row["resolution_rate"]),
        "alone": percent(row["auto_fix_rate"]),
        "mttr": words(row["mttr"]["median"]),
        "p90": words(row["mttr"]["p90"]),
        "cost": f"${row['cost_usd']:.2f}",
    }


def _person(row: dict[str, Any]) -> dict[str, str]:
    kinds = ", ".join(
        f"{count} {Decision.Kind(kind).label.lower()}" for kind, count in row["kinds"].items()
    )
    return {
        "name": row["person"],
        "decisions": str(row["decisions"]),
        "kinds": kinds,
        "time": words(row["time_to_decide"]["median"]),
        "held": f"{row['held']} of {row['outcomes']}" if row["outcomes"] else "-",
    }


def csv_lines(rows: Rows) -> Iterator[str]:
    """Yield the incidents as CSV, one a line, times in ISO 8601; cells that a spreadsheet would run are quoted off."""
    yield _line(COLUMNS)
    for case in rows.cases:
        yield _line([_cell(_value(case, name)) for name in COLUMNS])


def _value(case: Case, name: str) -> Any:
    if name == "status":
        return STATUS_WORDS[case.status]
    ends = {
        "seconds_to_detect": (case.failed_since, case.detected_at),
        "seconds_to_acknowledge": (case.detected_at, case.acknowledged_at),
        "seconds_to_resolve": (case.detected_at, case.ended_at),
    }
    return analytics.seconds(*ends[name]) if name in ends else getattr(case, name)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text


def _line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()
