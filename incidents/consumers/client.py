"""One open page: who looks at it, what it shows, and a bounded queue of what is still to be sent to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qs

QUEUE_LIMIT = 64
LONGEST = 250_000  # characters
SIGNED_OUT, NOT_ALLOWED, TOO_MANY = 4401, 4403, 4429
# The page connects again and re-reads its state (static/js/live.js). Not 1013: not every server sends a code of that range.
READ_AGAIN = 4408


class Viewer(NamedTuple):
    """What a rendering depends on. `person` is 0 for all who see the same, else the one for whom it is particular."""

    role: str
    time_zone: str
    person: int = 0


@dataclass(frozen=True)
class Page:
    """What the page shows: `kind` is "list", "incident" or "any"; `seen` its newest timeline entry."""

    kind: str = "any"
    incident: int = 0
    seen: int = 0
    comment: int = 0
    query: str = ""


def page_from(query_string: bytes) -> Page:
    """Return what the socket's address says of its page; nonsense counts as "any"."""
    raw = {key: values[-1] for key, values in parse_qs(query_string.decode("latin-1")).items()}
    kind, _, number = raw.get("page", "any").partition("-")
    seen, comment = _number(raw.get("seen")), _number(raw.get("comment"))
    if kind == "incident" and _number(number):
        return Page(kind="incident", incident=_number(number), seen=seen, comment=comment)
    if kind == "list":
        return Page(kind="list", seen=seen, query=raw.get("query", "")[:600])
    return Page()


def _number(text: str | None) -> int:
    return min(int(text), 2**62) if text and text.isdecimal() and len(text) < 20 else 0


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who signed in, by which session, as it was when the socket was opened."""

    person: int
    role: str
    time_zone: str
    session: str
    auth_hash: str


class Client:
    """A socket with its own queue: what one client does not take never holds up another."""

    def __init__(
        self,
        identity: Identity,
        page: Page,
        *,
        send: Callable[[str], Awaitable[None]],
        close: Callable[[int], Awaitable[None]],
    ) -> None:
        """Start with nothing to send; `behind` is set when the page has to be brought up to date."""
        self.identity = identity
        self.page = page
        self.seen, self.comment = page.seen, page.comment
        self.behind = False
        self._send, self._close = send, close
        self._queue: deque[str] = deque()
        self._wake = asyncio.Event()
        self._end = 0

    def viewer(self, named: set[int]) -> Viewer:
        """Return what the rendering for this client depends on."""
        who = self.identity
        return Viewer(who.role, who.time_zone, who.person if who.person in named else 0)

    def offer(self, text: str) -> None:
        """Queue a message; a client that is too far behind loses its queue and has to read its page again."""
        if self._end:
            return
        if len(self._queue) >= QUEUE_LIMIT or len(text) > LONGEST:
            self.end(READ_AGAIN)
            return
        self._queue.append(text)
        self._wake.set()

    def end(self, code: int) -> None:
        """Drop what waits and close with a code as soon as the line takes anything."""
        self._queue.clear()
        self._end = self._end or code
        self._wake.set()

    @property
    def waiting(self) -> int:
        """Return how many messages wait."""
        return len(self._queue)

    async def pump(self) -> None:
        """Send what is queued, in order, until the client is ended, its line breaks, or this task is cancelled."""
        with suppress(OSError):
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    await self._send(self._queue.popleft())
                if self._end:
                    await self._close(self._end)
                    return
