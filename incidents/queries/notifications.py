"""One person's notifications as the page shows them: a constant number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Prefetch, QuerySet

from incidents.models import Kind, Notification
from incidents.values import Severity

PAGE = 50
BUNDLED_SHOWN = 20
ICONS: dict[str, tuple[str, str]] = {
    Kind.ASKED: ("hand", "ask"),
    Kind.ESCALATION: ("escalate", "danger"),
    Kind.HELP: ("help", "ask"),
    Kind.ASSIGNED: ("user", "info"),
    Kind.MENTION: ("comment", "info"),
    Kind.REPORT: ("reports", "ok"),
    Kind.OPENED: ("detect", "warn"),
}

LABELS: dict[str, str] = dict(Kind.choices)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What the page is narrowed to; empty means everything. Unknown words narrow nothing."""

    unread: bool = False
    kind: str = ""
    severity: str = ""
    before: int | None = None

    @classmethod
    def of(cls, query: dict[str, str]) -> Filters:
        """Read the filters of an address."""
        before = query.get("before", "")
        return cls(
            unread=query.get("unread") == "1",
            kind=query.get("kind", "") if query.get("kind", "") in Kind.values else "",
            severity=query.get("severity", "") if query.get("severity", "") in SEVERITIES else "",
            before=int(before) if before.isdecimal() and len(before) < 18 else None,
        )

    def address(self, **changes: Any) -> str:
        """Return the query string of these filters with some changed, from the first page on."""
        values = {
            "unread": "1" if self.unread else "",
            "kind": self.kind,
            "severity": self.severity,
        }
        kept = {name: value for name, value in {**values, **changes}.items() if value}
        return f"?{urlencode(kept)}"


SEVERITIES = {severity.value for severity in Severity}


def page(person_id: int, filters: Filters) -> dict[str, Any]:
    """Return the rows, the way to older ones, and the choices of the filters: three queries."""
    found = list(_rows(person_id, filters)[: PAGE + 1])
    shown = found[:PAGE]
    more = len(found) > PAGE
    return {
        "items": [_item(row) for row in shown],
        "older_url": filters.address(before=shown[-1].pk) if more else "",
        "newer_url": filters.address() if filters.before else "",
        "filters": filters,
        "views": _views(filters),
        "kinds": [(kind.value, kind.label) for kind in Kind if kind != Kind.TEST],
        "severities": [severity.value for severity in reversed(Severity)],
    }


def _rows(person_id: int, filters: Filters) -> QuerySet[Notification]:
    rows = Notification.objects.filter(person_id=person_id, bundle=None).order_by("-id")
    wanted: dict[str, Any] = {"kind": filters.kind, "severity": filters.severity}
    rows = rows.filter(**{name: value for name, value in wanted.items() if value})
    if filters.unread:
        rows = rows.filter(read_at=None)
    if filters.before:
        rows = rows.filter(pk__lt=filters.before)
    under = Notification.objects.order_by("-id")[:BUNDLED_SHOWN]
    return rows.annotate(more=Count("bundled")).prefetch_related(
        Prefetch("bundled", under, to_attr="under")
    )


def _item(row: Notification) -> dict[str, Any]:
    icon, tone = ICONS.get(row.kind, ("bell", ""))
    more: int = row.more  # type: ignore[attr-defined]
    under: list[Notification] = row.under  # type: ignore[attr-defined]
    return {
        "id": row.pk,
        "text": row.text,
        "kind": LABELS.get(row.kind, row.kind),
        "icon": icon,
        "tone": tone,
        "severity": row.severity,
        "at": row.at,
        "unread": row.read_at is None,
        "more": more,
        "bundled": [one.text for one in under],
    }


def _views(filters: Filters) -> list[dict[str, Any]]:
    return [
        {"label": "All", "url": filters.address(unread=""), "current": not filters.unread},
        {"label": "Unread", "url": filters.address(unread="1"), "current": filters.unread},
    ]
