"""The list of incidents: what needs the person first, then what the agent is doing, then the rest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any
from urllib.parse import urlencode

from django.db.models import Case, IntegerField, Max, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.safestring import SafeString

from incidents.models import Incident, TimelineEntry
from incidents.queries.lines import Line, line_html, lines
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


@dataclass(frozen=True)
class Rows:
    """The open incidents and the newest ended ones, with the newest timeline entry that was there before.

    A line's HTML is made once for all who see it alike.
    """

    seen: int
    open_ones: list[Line]
    ended: list[Line]
    made: dict[tuple[tzinfo, int, bool], SafeString] = field(default_factory=dict)

    @property
    def named(self) -> set[int]:
        """Return the people who have an open incident: their list differs from that of others in their role."""
        ids = {
            person for row in self.open_ones for person in (row.assignee_id, row.taken_over_by_id)
        }
        return {person for person in ids if person}

    def html(self, line: Line, *, asks: bool) -> SafeString:
        """Return a line in the present time zone."""
        key = (timezone.get_current_timezone(), line.pk, asks and line.status in WAITING)
        if key not in self.made:
            self.made[key] = line_html(line, asks=asks)
        return self.made[key]


def read() -> Rows:
    """Read what the list in sections shows; four queries whatever the number of incidents."""
    seen = newest()
    newest_first = Incident.objects.order_by("-id")
    open_ones = newest_first.filter(status__in=OPEN)[: 4 * PAGE]
    # "Not open" and not "ended": by the index of statuses SQLite would sort all that ever ended to find the newest few.
    ended = newest_first.exclude(status__in=OPEN)[: PAGE + 1]
    return Rows(seen, lines(open_ones), lines(ended, ended=True))


def arranged(rows: Rows, person: User, mine: Rights) -> list[dict[str, Any]]:
    """Return the sections for a person, by the rights of the role."""
    found: dict[str, list[Line]] = {"needs": [], "working": [], "waits": []}
    for line in rows.open_ones:
        found[_section(person, mine, line)].append(line)
    found["needs"].sort(key=lambda line: (-Severity(line.severity).rank, line.pk))
    found["ended"] = rows.ended
    return [
        {
            "key": key,
            "id": f"list-{key}",
            "title": title,
            "nothing": nothing,
            "version": rows.seen,
            "count": len(found[key]),
            "rows": [rows.html(line, asks=key == "needs") for line in found[key][:PAGE]],
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


def _section(person: User, mine: Rights, line: Line) -> str:
    if line.status in WORKING and not line.taken_over_by_id:
        return "working"
    if line.taken_over_by_id:
        return "needs" if line.taken_over_by_id == person.pk else "waits"
    return "needs" if line.assignee_id == person.pk or mine.covers(line) else "waits"


@dataclass(frozen=True)
class Rights:
    """What a role may approve: (service slug or "", highest severity or none)."""

    by_service: dict[str, MatrixRow]

    def covers(self, line: Line) -> bool:
        """Tell whether the role may decide this incident."""
        row = self.by_service.get(line.service_slug) or self.by_service.get("")
        return row is not None and row.covers(line.severity)


def rights(roles: Collection[str]) -> dict[str, Rights]:
    """Return the stored approval rights of each role; one query for any number of incidents."""
    found: dict[str, dict[str, MatrixRow]] = {role: {} for role in roles}
    for row in MatrixRow.objects.filter(verb=Verb.APPROVE, role__in=roles).order_by():
        found[row.role][row.service_slug] = row
    return {role: Rights(by_service) for role, by_service in found.items()}


def page(wanted: Wanted) -> dict[str, Any]:
    """Return one page of the filtered list; two queries."""
    found = _filtered(wanted)
    total = found.count()
    first = (wanted.page - 1) * PAGE
    rows = lines(found[first : first + PAGE])
    last = first + len(rows)
    return {
        "rows": [line_html(line) for line in rows],
        "text": f"{first + 1:,} to {last:,} of {total:,}" if rows else "",
        "previous_url": f"/{wanted.query(page=wanted.page - 1)}" if wanted.page > 1 else "",
        "next_url": f"/{wanted.query(page=wanted.page + 1)}" if last < total else "",
    }


def _filtered(wanted: Wanted) -> QuerySet[Incident]:
    found = Incident.objects.all()
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
