"""Renders what is pushed: the same partials as the pages', once for all who see the same. Runs in the hub's thread."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from incidents import access
from incidents.consumers.client import Viewer
from incidents.models import Incident
from incidents.queries import listing, page, shell, story
from incidents.queries.body import body
from teams.models import User

PARTS_OF_BODY = (
    "cause",
    "impact",
    "fix",
    "receipt",
    "evidence",
    "confidence",
    "safety",
    "deployments",
    "similar",
)
_VERSION = re.compile(r' data-version="\d+"')
Who = tuple[str, str, int]  # role, time zone, person


@dataclass(frozen=True)
class Region:
    """A rendered region; `same` is what two renderings share when nothing changed but the version."""

    name: str
    html: str

    @property
    def same(self) -> str:
        """Return the HTML without its version."""
        return _VERSION.sub("", self.html, count=1)


@dataclass
class Rendered:
    """What to push for one page: regions by viewer, and what is appended (id, HTML) by time zone."""

    seen: int = 0
    named: set[int] = field(default_factory=set)
    regions: dict[Viewer, list[Region]] = field(default_factory=dict)
    entries: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    comments: dict[str, list[tuple[int, str]]] = field(default_factory=dict)


def incident(
    pk: int, whos: set[Who], *, seen: int, comment: int
) -> tuple[Rendered, Callable[[], Rendered]]:
    """Return what is quick (header, decision bar, timeline), and a function that renders the heavy middle.

    The two are sent one after the other, so that nobody waits for a diff's colours to see that the state changed.
    """
    loaded = page.load(pk)
    quick = Rendered(seen=loaded.seen, named=access.named(loaded))
    viewers = _viewers(whos, quick.named)
    bars = {viewer: access.decision(person, loaded) for viewer, person in viewers.items()}
    head = page.head(loaded)
    for viewer, bar in bars.items():
        with _zone(viewer):
            context = {"head": head, "bar": bar, "oob": True}
            quick.regions[viewer] = [
                _region("head", context),
                _region("decision", context),
            ]
    _append(quick, {who[1] for who in whos}, loaded.incident, seen, comment)

    def rest() -> Rendered:
        return _middle(loaded, bars, head, quick.named)

    return quick, rest


def _middle(
    loaded: page.Loaded, bars: dict[Viewer, dict[str, Any]], head: dict[str, Any], named: set[int]
) -> Rendered:
    """Render the middle once for each time zone and for those who may choose a candidate and those who may not."""
    rendered = Rendered(seen=loaded.seen, named=named)
    values = body(loaded)
    made: dict[tuple[str, bool], list[Region]] = {}
    for viewer, bar in bars.items():
        key = (viewer.time_zone, bool(bar["may_choose"]))
        if key not in made:
            context = {"head": head, "bar": bar, "body": values, "oob": True}
            with _zone(viewer):
                made[key] = [_region(name, context) for name in PARTS_OF_BODY]
        rendered.regions[viewer] = made[key]
    return rendered


def _append(quick: Rendered, zones: set[str], row: Incident, seen: int, comment: int) -> None:
    """Render the timeline entries and comments that some page does not have yet."""
    entries = story.timeline(row.pk, after=seen)
    spoken = any(entry["icon"] == "comment" for entry in entries)
    comments = [said for said in story.comments(row) if said.pk > comment] if spoken else []
    for zone in zones:
        with timezone.override(ZoneInfo(zone)):
            quick.entries[zone] = [
                (entry["id"], _html("components/timeline_entry.html", {"entry": entry}))
                for entry in entries
            ]
            quick.comments[zone] = [
                (said.pk, _html("incidents/parts/comment.html", {"comment": said}))
                for said in comments
            ]


def incident_list(whos: set[Who]) -> Rendered:
    """Return the sections of the list for every viewer; the rows are read once."""
    rows = listing.read()
    rendered = Rendered(seen=rows.seen, named=rows.named)
    for viewer, person in _viewers(whos, rows.named).items():
        with _zone(viewer):
            sections = listing.arranged(rows, person)
            rendered.regions[viewer] = [
                Region(
                    str(section["id"]),
                    _html("incidents/parts/section.html", {"section": section, "oob": True}),
                )
                for section in sections
            ]
    return rendered


def header(*, health: bool, agent: bool) -> list[Region]:
    """Return the header's regions, which are the same for all."""
    made = []
    if health:
        url = reverse("incidents:header_health")
        context = {"services": shell.header_services(), "refetch_url": url, "oob": True}
        made.append(Region("health", _html("components/header_health.html", context)))
    if agent:
        url = reverse("incidents:header_agent")
        context = {"agent": shell.agent(), "refetch_url": url, "oob": True}
        made.append(Region("agent", _html("components/agent_state.html", context)))
    return made


def bells(people: Iterable[int]) -> dict[int, str]:
    """Return each person's bell; one query."""
    url = reverse("incidents:header_bell")
    counts = shell.unread_of(set(people))
    return {
        person: _html("components/bell.html", {"unread": unread, "refetch_url": url, "oob": True})
        for person, unread in counts.items()
    }


def newest(incidents: set[int]) -> dict[int, int]:
    """Return the newest timeline entry of each incident, and under 0 of all; two queries."""
    return {0: listing.newest(), **story.newest_of(incidents)}


def _viewers(whos: set[Who], named: set[int]) -> dict[Viewer, User]:
    """Return each group that sees the same with one person of it, by whose rights it is rendered."""
    people = User.objects.in_bulk({pk for _, _, pk in whos})
    return {
        Viewer(role, zone, pk if pk in named else 0): people[pk]
        for role, zone, pk in sorted(whos)
        if pk in people
    }


def _zone(viewer: Viewer) -> Any:
    return timezone.override(ZoneInfo(viewer.time_zone))


def _region(name: str, context: dict[str, Any]) -> Region:
    return Region(name, _html(f"incidents/parts/{name}.html", context))


def _html(template: str, context: dict[str, Any]) -> str:
    return render_to_string(template, context).strip()
