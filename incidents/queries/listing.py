"""The list of incidents: what needs the person first, then what the agent is doing, then the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Case, IntegerField, Max, Q, QuerySet, Value, When
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from incidents.models import Incident, TimelineEntry
from incidents.queries.words import between, moment_html, severity_html, status_html
from incidents.states import ENDED, OPEN, WAITING, WORKING
from incidents.values import Severity
from monitoring.models import Service
from teams.models import MatrixRow, User
from teams.roles import Verb

PAGE = 50
GROUPS = [
    ("open", "Open"),
    ("waiting", "Waiting for a person"),
    ("working", "Agent at work"),
    ("ended", "Ended"),
    ("all", "All"),
]
SORTS = [("newest", "Newest first"), ("oldest", "Oldest first"), ("severity", "Worst first")]
_STATUSES = {"open": OPEN, "waiting": WAITING, "working": WORKING, "ended": ENDED}
_SEVERITY_ORDER = Case(
    *[When(severity=severity.value, then=Value(severity.rank)) for severity in Severity],
    default=Value(0),
    output_field=IntegerField(),
)
COLUMNS = [
    *("title", "status", "severity", "detected_at", "failed_since", "ended_at", "waits_for"),
    *("taken_over_by", "service__name", "service__slug"),
    *("assignee__display_name", "assignee__email"),
]
SECTIONS = {
    "needs": ("Needs you", "Nothing waits for you."),
    "working": ("The agent is on it", "The agent has nothing to heal."),
    "waits": ("Waits for others", ""),
    "ended": ("Ended", ""),
}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A filter as it stands in the address."""

    group: str = ""
    service: str = ""
    severity: str = ""
    q: str = ""
    sort: str = ""
    page: int = 1

    @property
    def is_default(self) -> bool:
        """Tell whether nothing is filtered, sorted or turned over: the list in sections."""
        return self == Wanted()

    def query(self, **changes: Any) -> str:
        """Return the address's query with some changes; what is empty or the first page is left out."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__} | changes
        kept = {
            name: value for name, value in values.items() if value and (name, value) != ("page", 1)
        }
        return f"?{urlencode(kept)}" if kept else ""


def newest() -> int:
    """Return the id of the newest timeline entry: what a page has seen."""
    return TimelineEntry.objects.aggregate(last=Max("id"))["last"] or 0


def _rows() -> QuerySet[Incident]:
    """Return incidents with the few columns that a row shows: a service's JSON alone costs more to read than a row."""
    return Incident.objects.select_related("service", "assignee").only(*COLUMNS)


@dataclass(frozen=True)
class Rows:
    """The open incidents and the newest ended ones, with the newest timeline entry that was there before."""

    seen: int
    open_ones: list[Incident]
    ended: list[Incident]

    @property
    def named(self) -> set[int]:
        """Return the people who have an open incident: their list differs from that of others in their role."""
        ids = {
            person for row in self.open_ones for person in (row.assignee_id, row.taken_over_by_id)
        }
        return {person for person in ids if person}


def read() -> Rows:
    """Read what the list in sections shows; three queries whatever the number of incidents."""
    seen = newest()
    open_ones = list(_rows().filter(status__in=OPEN).order_by("-id")[: 4 * PAGE])
    return Rows(seen, open_ones, list(_rows().filter(status__in=ENDED).order_by("-id")[: PAGE + 1]))


def arranged(rows: Rows, person: User) -> list[dict[str, Any]]:
    """Return the sections for a person, by the stored rights of the role; one query."""
    mine = rights(person)
    found: dict[str, list[Incident]] = {"needs": [], "working": [], "waits": []}
    for incident in rows.open_ones:
        found[_section(person, mine, incident)].append(incident)
    found["needs"].sort(key=lambda row: (-Severity(row.severity).rank, row.pk))
    found["ended"] = rows.ended
    return [
        {
            "key": key,
            "id": f"list-{key}",
            "title": title,
            "nothing": nothing,
            "version": rows.seen,
            "count": len(found[key]),
            "rows": [row(incident, asks=key == "needs") for incident in found[key][:PAGE]],
            "more": _more(key, len(found[key])),
        }
        for key, (title, nothing) in SECTIONS.items()
    ]


def _more(key: str, count: int) -> str:
    """Return where the rest of a section stands, when it does not all fit."""
    if count <= PAGE:
        return ""
    if key == "ended":
        return Wanted().query(group="ended", page=2)
    return Wanted().query(group="working" if key == "working" else "waiting")


def _section(person: User, mine: Rights, incident: Incident) -> str:
    if incident.status in WORKING:
        return "working"
    own = incident.assignee_id == person.pk or incident.taken_over_by_id == person.pk
    return "needs" if own or mine.covers(incident) else "waits"


@dataclass(frozen=True)
class Rights:
    """What a role may approve: (service slug or "", highest severity or none)."""

    by_service: dict[str, MatrixRow]

    def covers(self, incident: Incident) -> bool:
        """Tell whether the role may decide this incident."""
        row = self.by_service.get(incident.service.slug) or self.by_service.get("")
        return row is not None and row.covers(incident.severity)


def rights(person: User) -> Rights:
    """Return the approval rights of a person's stored role; one query for any number of incidents."""
    rows = MatrixRow.objects.filter(verb=Verb.APPROVE, role=person.role)
    return Rights({row.service_slug: row for row in rows})


def row(incident: Incident, *, asks: bool = False) -> dict[str, Any]:
    """Return one line of the list as few finished pieces: each look-up in a template's loop costs."""
    return {
        "id": incident.pk,
        "url": f"/incidents/{incident.pk}/",
        "title": incident.title,
        "meta": _meta(incident),
        "marks": severity_html(incident.severity) + status_html(incident.status),
        "note": incident.waits_for if incident.status in WAITING else "",
        "asks": asks,
    }


def _meta(incident: Incident) -> SafeString:
    detected, assignee = incident.detected_at, incident.assignee
    return format_html(
        "<span>#{}</span><span>{}</span>{}<span>{}</span>{}",
        incident.pk,
        incident.service.name,
        moment_html(detected, f"{localtime(detected):%d %b %H:%M}"),
        _lasted(incident),
        format_html("<span>{}</span>", assignee.name) if assignee else "",
    )


def _lasted(incident: Incident) -> str | SafeString:
    since = incident.failed_since or incident.detected_at
    if incident.ended_at:
        return f"took {between(since, incident.ended_at)}"
    return format_html(
        'for <time class="tabular" datetime="{}" data-since></time>', since.isoformat()
    )


def page(wanted: Wanted) -> dict[str, Any]:
    """Return one page of the filtered list; two queries."""
    found = _filtered(wanted)
    total = found.count()
    first = (wanted.page - 1) * PAGE
    rows = list(found[first : first + PAGE])
    last = first + len(rows)
    return {
        "rows": [row(incident) for incident in rows],
        "text": f"{first + 1:,} to {last:,} of {total:,}" if rows else "",
        "previous_url": f"/{wanted.query(page=wanted.page - 1)}" if wanted.page > 1 else "",
        "next_url": f"/{wanted.query(page=wanted.page + 1)}" if last < total else "",
    }


def _filtered(wanted: Wanted) -> QuerySet[Incident]:
    found = _rows()
    if wanted.group in _STATUSES:
        found = found.filter(status__in=sorted(_STATUSES[wanted.group]))
    if wanted.service:
        found = found.filter(service__slug=wanted.service)
    if wanted.severity:
        found = found.filter(severity=wanted.severity)
    if wanted.q:
        found = found.filter(_text(wanted.q))
    if wanted.sort == "severity":
        return found.order_by(_SEVERITY_ORDER.desc(), "-id")
    return found.order_by("id" if wanted.sort == "oldest" else "-id")


def _text(text: str) -> Q:
    """Match a number as an incident's, and every word in its title or its service's name."""
    if text.lstrip("#").isdecimal():
        return Q(pk=min(int(text.lstrip("#")), 2**62))
    words = Q()
    for word in text.split()[:8]:
        words &= Q(title__icontains=word) | Q(service__name__icontains=word)
    return words


def services() -> list[tuple[str, str]]:
    """Return (slug, name) of every service for the filter; one query."""
    return list(Service.objects.order_by("name").values_list("slug", "name"))


def any_incident() -> bool:
    """Tell whether there ever was one: an empty list teaches, a filtered one does not."""
    return Incident.objects.exists()


def demo_service() -> Service | None:
    """Return a demo service, into which a fault may be put to see the agent at work."""
    return Service.objects.filter(is_demo=True, enabled=True).order_by("name").first()
