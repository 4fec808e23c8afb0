"""One line of a list of incidents: the few columns that it shows, and its HTML, made in Python.

A model with its joined models costs more to build than the line to write, and each look-up in a template's loop costs again:
50 lines are most of what the list's page costs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from incidents.models import Fix, Incident
from incidents.queries.words import between, severity_html, status_html
from incidents.states import WAITING, Status

COLUMNS = [
    *("pk", "title", "status", "severity", "detected_at", "failed_since", "ended_at", "waits_for"),
    *("taken_over_by_id", "service__name", "service__slug"),
    *("assignee_id", "assignee__display_name", "assignee__email"),
]


def _offering(pks: list[int]) -> set[int]:
    """Return those of these incidents with a fix that somebody can decide about; one query, also for none.

    As `Loaded.offered` says of one: the chosen fix, else another that was up, unless it went live already.
    """
    fixes = Fix.objects.filter(incident__in=pks or [0], attempt=F("incident__attempt"))
    chosen: dict[int, bool] = {}
    others: dict[int, bool] = {}
    for pk, state, decided, live in fixes.values_list(
        "incident_id", "state", "decisions", "deployment"
    ):
        if state == Fix.State.CHOSEN:
            chosen[pk] = chosen.get(pk, False) or live is None
        elif state == Fix.State.CANDIDATE or decided is not None:
            others[pk] = others.get(pk, False) or live is None
    return {pk for pk, offered in (others | chosen).items() if offered}


class Line(NamedTuple):
    """What is read of an incident for its line, in the order of COLUMNS, and whether it `offers` a fix."""

    pk: int
    title: str
    status: str
    severity: str
    detected_at: datetime
    failed_since: datetime | None
    ended_at: datetime | None
    waits_for: str
    taken_over_by_id: int | None
    service: str
    service_slug: str
    assignee_id: int | None
    assignee_name: str | None
    assignee_email: str | None
    offers: bool


def lines(found: QuerySet[Incident], *, ended: bool = False) -> list[Line]:
    """Return the lines of the incidents found; two queries and no models, one when all have ended.

    Only of the escalated ones it is asked whether they offer a fix: whatever else waits has one.
    """
    rows: list[tuple[Any, ...]] = list(found.values_list(*COLUMNS))
    escalated = [row[0] for row in rows if row[2] == Status.ESCALATED]
    offering = set() if ended else _offering(escalated)
    return [Line._make((*row, row[2] != Status.ESCALATED or row[0] in offering)) for row in rows]


def line_html(line: Line, *, asks: bool = False) -> SafeString:
    """Return the line; `asks` adds the button that leads to the decision, where there is one to make."""
    url = f"/incidents/{line.pk}/"
    decides = asks and line.status in WAITING and line.offers and not line.taken_over_by_id
    note = "" if line.ended_at else _in_hands(line)
    note = note or (line.waits_for if line.status in WAITING else "")
    return SafeString(
        f'<li class="row" data-key-row><div class="row__main">'
        f'<a class="row__title" href="{url}">{escape(line.title)}</a>'
        f'<div class="row__meta">{_meta(line)}</div>'
        f"{_NOTE.format(escape(note)) if note else ''}</div>"
        f'<div class="row__end">{severity_html(line.severity)}{status_html(line.status)}'
        f"{_DECIDE.format(url, line.pk) if decides else ''}</div></li>"
    )


_NOTE = '<p class="small row__note">{}</p>'
_DECIDE = (
    '<a class="button button--small" href="{}#incident-decision" data-key="a">'
    'Decide<span class="sr-only"> on #{}</span></a>'
)


def _in_hands(line: Line) -> str:
    """Return who has it instead of the agent, or an empty text. Whoever takes one over is its assignee too."""
    if not line.taken_over_by_id:
        return ""
    named = line.assignee_id == line.taken_over_by_id
    holder = (line.assignee_name or line.assignee_email) if named else "A person"
    return f"{holder} has it; the agent's hands are off."


def _meta(line: Line) -> str:
    name = line.assignee_name or line.assignee_email
    detected = (
        f'<time class="tabular nowrap" datetime="{line.detected_at.isoformat()}" data-relative>'
        f"{localtime(line.detected_at):%d %b %H:%M}</time>"
    )
    return (
        f"<span>#{line.pk}</span><span>{escape(line.service)}</span>{detected}"
        f"<span>{_lasted(line)}</span>{f'<span>{escape(name)}</span>' if name else ''}"
    )


def _lasted(line: Line) -> str:
    since = line.failed_since or line.detected_at
    if line.ended_at:
        return f"took {between(since, line.ended_at)}"
    so_far = between(since, timezone.now())
    return f'for <time class="tabular" datetime="{since.isoformat()}" data-since>{so_far}</time>'
