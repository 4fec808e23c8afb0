"""Renders what is pushed: the same partials as the pages', once for all who see the same. Runs in the hub's thread."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
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
_RUNNING = re.compile(r"( data-since[^>]*>)[^<]*")
Who = tuple[str, str, int]  # role, time zone, person


@dataclass(frozen=True)
class Region:
    """A rendered region; `same` is what two renderings share when nothing changed but the version, and time went on."""

    name: str
    html: str

    @cached_property
    def same(self) -> str:
        """Return the HTML without its version and its running durations, which every page counts on by itself."""
        return _RUNNING.sub(r"\1", _VERSION.sub("", self.html, count=1))


@dataclass
class Rendered:
    """What to push for one page: regions by viewer, and what is appended (id, HTML) by time zone."""

    seen: int = 0
    named: set[int] = field(default_factory=set)
    regions: dict[Viewer, list[Region]] = field(default_factory=dict)
    entries: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    comments: dict[str, list[tuple[int, str]]] = field(default_factory=dict)


class Made:
    """Regions of one rendering, each made once for all in one time zone who see it alike."""

    def __init__(self) -> None:
        """Start with nothing made."""
        self._made: dict[tuple[str, str], list[tuple[Any, Region]]] = {}

    def region(
        self,
        part: str,
        context: dict[str, Any],
        viewer: Viewer,
        differs: Any = None,
        *,
        name: str = "",
    ) -> Region:
        """Return a region for a viewer; `differs` is all in the context that is not the same for everybody."""
        known = self._made.setdefault((name or part, viewer.time_zone), [])
        for before, region in known:
            if before == differs:
                return region
        with _zone(viewer):
            region = Region(name or part, _html(f"incidents/parts/{part}.html", context))
        known.append((differs, region))
        return region


def incident(
    pk: int, whos: set[Who], *, seen: int, comment: int
) -> tuple[Rendered, Callable[[], Rendered]]:
    """Return what is quick (header, decision bar, timeline), and a function that renders the heavy middle.

    The two are sent one after the other, so that nobody waits for a diff's colours to see that the state changed.
    """
    loaded = page.load(pk)
    quick = Rendered(seen=loaded.seen, named=access.named(loaded))
    viewers = _viewers(whos, quick.named)
    rights = access.rulings(viewers.values(), loaded)
    bars = {viewer: access.decision(person, loaded, rights) for viewer, person in viewers.items()}
    head = page.head(loaded)
    made = Made()
    for viewer, bar in bars.items():
        quick.regions[viewer] = [
            made.region("head", {"head": head, "oob": True}, viewer),
            made.region("decision", {"head": head, "bar": bar, "oob": True}, viewer, bar),
        ]
    _append(quick, {who[1] for who in whos}, loaded.incident, seen, comment)

    def rest() -> Rendered:
        return _middle(loaded, bars, head, quick.named)

    return quick, rest


def _middle(
    loaded: page.Loaded, bars: dict[Viewer, dict[str, Any]], head: dict[str, Any], named: set[int]
) -> Rendered:
    """Render the middle once for each time zone, and the fix for those who may choose a candidate and who may not."""
    rendered = Rendered(seen=loaded.seen, named=named)
    context = {"head": head, "body": body(loaded), "oob": True}
    made = Made()
    for viewer, bar in bars.items():
        # No other part is given the rights: one that came to ask for them would show everybody the first one's.
        fix = {"bar": {"may_choose": bar["may_choose"]}}
        rendered.regions[viewer] = [
            made.region(name, context | fix, viewer, fix)
            if name == "fix"
            else made.region(name, context, viewer)
            for name in PARTS_OF_BODY
        ]
    return rendered


def _append(quick: Rendered, zones: set[str], row: Incident, seen: int, comment: int) -> None:
    """Render the timeline entries and comments that some page does not have yet."""
    entries = story.timeline(row.pk, after=seen)
    spoken = any(entry["icon"] == "comment" for entry in entries)
    comments = story.comments(row, after=comment) if spoken else []
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
    # Read after the rows: whoever has seen less than this may lack something that the rows show already.
    rendered = Rendered(seen=listing.newest(), named=rows.named)
    viewers = _viewers(whos, rows.named)
    rights = listing.rights({person.role for person in viewers.values()})
    made = Made()
    for viewer, person in viewers.items():
        with _zone(viewer):
            sections = listing.arranged(rows, person, rights[person.role])
        rendered.regions[viewer] = [
            made.region(
                "section", {"section": section, "oob": True}, viewer, section, name=section["id"]
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
    people = User.objects.only("role").in_bulk({pk for _, _, pk in whos})
    # Whoever has another role by now speaks for nobody: their socket is about to be closed.
    return {
        Viewer(role, zone, pk if pk in named else 0): people[pk]
        for role, zone, pk in sorted(whos)
        if pk in people and people[pk].role == role
    }


def _zone(viewer: Viewer) -> Any:
    return timezone.override(ZoneInfo(viewer.time_zone))


def _html(template: str, context: dict[str, Any]) -> str:
    return render_to_string(template, context).strip()
