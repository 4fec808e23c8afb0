"""One round of pushing: what changed, rendered once for all who see the same, offered to each socket's queue."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from django.utils.html import format_html

from incidents.consumers import fragments
from incidents.consumers.client import Client, Viewer
from incidents.consumers.messages import Fresh, together
from incidents.models import Incident

T = TypeVar("T")
PageKey = tuple[str, int]
Seen = dict[Viewer, dict[str, str]]
News = dict[Client, tuple[str, ...]]  # what is appended to each client's page
LIST: PageKey = ("list", 0)
TURNS_OF_LOOP = 4
# Each page asks for itself, and says what it shows: what is spoken depends on what its person wants to hear, and one who
# listens or reads is not interrupted by the same alert.
VOICE_SIGNAL = (
    '<div id="voice-signal" hx-swap-oob="true" hidden><div hx-get="/voice/latest/" hx-trigger="load" '
    'hx-target="#voice-slot" hx-swap="innerHTML" hx-include="#voice-slot" hx-sync="#voice-slot:queue last"></div></div>'
)


class InThread(Protocol):
    """Runs database work in a thread."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


@dataclass
class Dirty:
    """What changed since the last round.

    Of the clients that `joined`, those that are `late` may have missed what concerns every page: header, bell, voice.
    """

    incidents: set[int] = field(default_factory=set)
    bells: set[int] = field(default_factory=set)
    people: set[int] = field(default_factory=set)
    joined: set[Client] = field(default_factory=set)
    late: set[Client] = field(default_factory=set)
    health: bool = False
    agent: bool = False
    speech: bool = False
    everything: bool = False

    def note(self, event: dict[str, Any]) -> bool:
        """Take an event in (monitoring.realtime.publish); false for one that no page shows."""
        match event:
            case {"kind": "incident", "id": int(pk)}:
                self.incidents.add(pk)
                self.agent = True
            case {"kind": "health"}:
                self.health = self.agent = True
            case {"kind": "agent"}:
                self.agent = True
            case {"kind": "bell", "people": list(people)}:
                self.bells.update(person for person in people if isinstance(person, int))
            case {"kind": "speech"}:
                self.speech = True
            case {"kind": "person", "id": int(pk)}:
                self.people.add(pk)
            case {"kind": "missed"}:
                self.everything = True
            case _:
                return False
        return True


class Round:
    """Remembers how each region looked last, so that one that did not change is not sent again.

    `_last` holds page -> viewer -> region -> HTML. A page that is opened is rendered once to be remembered.
    """

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self._last: dict[PageKey, Seen] = {}
        self._header: dict[str, str] = {}

    def forget_all_but(self, clients: Iterable[Client]) -> None:
        """Forget the pages that nobody shows any more: what changes now is not rendered for them."""
        shown = {key for client in clients for key in _keys(client)}
        self._last = {key: seen for key, seen in self._last.items() if key in shown}

    async def run(self, dirty: Dirty, clients: set[Client], in_thread: InThread) -> None:
        """Push what changed: first what is quick to make, then the middles of the incident pages."""
        await self._find_late(dirty, in_thread)
        rest = []
        for pk, watching in self._watched(dirty, clients).items():
            heavy = await self._push_incident(pk, watching, in_thread, hit=_hit(dirty, pk))
            if heavy is not None:
                rest.append((pk, watching, heavy))
            await _let_out()
        await self._push_list(dirty, clients, in_thread)
        await _let_out()
        await self._push_header(dirty, clients, in_thread)
        for client in clients if dirty.speech or dirty.everything else dirty.late:
            client.offer(VOICE_SIGNAL)
        for pk, watching, heavy in rest:
            rendered = await in_thread(heavy)
            news: News = dict.fromkeys(watching, ())
            self._offer_regions(("middle", pk), rendered, news, hit=_hit(dirty, pk))
            await _let_out()
        for client in clients:
            client.behind = False

    async def _find_late(self, dirty: Dirty, in_thread: InThread) -> None:
        """Mark the pages that were made before something that happened before their socket was open."""
        late = dirty.joined
        if not late:
            return
        pks = {client.page.incident for client in late if client.page.incident}
        newest = await in_thread(lambda: fragments.newest(pks))
        for client in late:
            client.behind = newest.get(client.page.incident, 0) > client.seen and (
                client.page.kind != "any"
            )

    def _watched(self, dirty: Dirty, clients: Iterable[Client]) -> dict[int, list[Client]]:
        """Return the incidents to push with the sockets that show them."""
        found: dict[int, list[Client]] = {}
        for client in clients:
            if client.page.kind == "incident":
                found.setdefault(client.page.incident, []).append(client)
        return {
            pk: watching
            for pk, watching in found.items()
            if _hit(dirty, pk) or any(client in dirty.joined for client in watching)
        }

    # ---- an incident ----------------------------------------------------------------------------------------------
    async def _push_incident(
        self, pk: int, watching: list[Client], in_thread: InThread, *, hit: bool
    ) -> Callable[[], fragments.Rendered] | None:
        seen = min(client.seen for client in watching)
        comment = min(client.comment for client in watching)
        make = partial(fragments.incident, pk, _whos(watching), seen=seen, comment=comment)
        try:
            quick, heavy = await in_thread(make)
        except Incident.DoesNotExist:
            return None
        fresh = Fresh(quick)
        news = {client: fresh.for_(client) for client in watching}
        for client, appended in news.items() if not hit else ():
            # What happened since `_find_late` looked is in this rendering, and its event will find it remembered.
            client.behind |= bool(appended)
        self._offer_regions(("incident", pk), quick, news, hit=hit)
        return heavy

    # ---- the list -------------------------------------------------------------------------------------------------
    async def _push_list(self, dirty: Dirty, clients: set[Client], in_thread: InThread) -> None:
        lists = [client for client in clients if client.page.kind == "list"]
        hit = bool(dirty.incidents) or dirty.everything
        if not hit and not any(client in dirty.joined for client in lists):
            return
        whole = [client for client in lists if not client.page.query]
        if whole:
            rendered = await in_thread(lambda: fragments.incident_list(_whos(whole)))
            for client in whole if not hit else ():
                client.behind |= rendered.seen > client.seen
            self._offer_regions(LIST, rendered, dict.fromkeys(whole, ()), hit=hit)
            for client in whole:
                client.seen = rendered.seen
        for client in lists:
            if client.page.query and (client.behind or hit):
                client.offer(_signal(client.page.query))

    # ---- the header -----------------------------------------------------------------------------------------------
    async def _push_header(self, dirty: Dirty, clients: set[Client], in_thread: InThread) -> None:
        all_of_it = dirty.everything or bool(dirty.late)
        health, agent = dirty.health or all_of_it, dirty.agent or all_of_it
        if health or agent:
            regions = await in_thread(lambda: fragments.header(health=health, agent=agent))
            changed = [r.html for r in regions if self._header.get(r.name) != r.html]
            self._header |= {region.name: region.html for region in regions}
            whole = "\n".join(region.html for region in regions)
            for client in clients if changed else dirty.late:
                client.offer(whole if client in dirty.late else "\n".join(changed))
        rung = [
            client
            for client in clients
            if dirty.everything or client in dirty.late or client.identity.person in dirty.bells
        ]
        if rung:
            people = {client.identity.person for client in rung}
            bells = await in_thread(lambda: fragments.bells(people))
            for client in rung:
                client.offer(bells[client.identity.person])

    def _offer_regions(
        self,
        key: PageKey,
        rendered: fragments.Rendered,
        news: News,
        *,
        hit: bool,
    ) -> None:
        """Offer each client what changed for its viewers, all of it to one that is behind, and then its news.

        Without a `hit` the page was only opened: viewers who open it first have it as it is. What others had before and
        is different by now is sent all the same, for its event, still on its way, will find it remembered.
        """
        before = self._last.get(key, {})
        self._last[key] = {
            viewer: {region.name: region.same for region in regions}
            for viewer, regions in rendered.regions.items()
        }
        texts: dict[tuple[Viewer, bool], str] = {}
        for viewer, regions in rendered.regions.items():
            known = before.get(viewer, {} if hit else None)
            new = [r.html for r in regions if known is not None and known.get(r.name) != r.same]
            texts[viewer, False] = "\n".join(new)
            texts[viewer, True] = "\n".join(region.html for region in regions)
        made: dict[tuple[str, ...], list[str]] = {}
        for client, appended in news.items():
            shown = (texts.get((client.viewer(rendered.named), client.behind), ""), *appended)
            if shown not in made:
                made[shown] = together(shown)
            for message in made[shown]:
                client.offer(message)


def _hit(dirty: Dirty, pk: int) -> bool:
    return dirty.everything or pk in dirty.incidents


def _keys(client: Client) -> list[PageKey]:
    if client.page.kind == "incident":
        return [("incident", client.page.incident), ("middle", client.page.incident)]
    return [LIST]


def _whos(clients: Iterable[Client]) -> set[fragments.Who]:
    found = (client.identity for client in clients)
    return {(who.role, who.time_zone, who.person) for who in found}


async def _let_out() -> None:
    """Let what was offered leave before more is rendered, without waiting for a line that takes nothing.

    A thread at work takes the interpreter for 5 ms whenever the loop asks the system for anything: hundreds of messages
    would crawl out one by one beside it. The queues' turn comes first, then that of lines that were found writable.
    """
    for _ in range(TURNS_OF_LOOP):
        await asyncio.sleep(0)


def _signal(query: str) -> str:
    """Let a filtered list read itself again, a moment later and not at the same moment as all others."""
    return format_html(
        '<div id="list-signal" hx-swap-oob="true" hidden><div hx-get="/?{}" hx-trigger="load delay:{}ms" '
        'hx-target="#incident-rows" hx-swap="outerHTML" hx-headers=\'{{"X-Refetch": "1"}}\'></div></div>',
        query,
        random.randint(200, 800),  # noqa: S311 - spreads load
    )
