"""A round of pushes: what happens while it is at work is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from django.db import connection, connections, transaction

from incidents.consumers.client import Client, Identity, Page
from incidents.consumers.rounds import Dirty, Round
from incidents.models import Incident
from incidents.timeline import note
from monitoring.models import Service
from teams.models import User
from tests.incidents import rows

pytestmark = pytest.mark.django_db(transaction=True)


def client_of(person: User, page: Page) -> Client:
    async def send(_text: str) -> None: ...
    async def close(_code: int) -> None: ...

    identity = Identity(
        person=person.pk, role=person.role, time_zone="UTC", session="s", auth_hash="h"
    )
    return Client(identity, page, send=send, close=close)


class Opened:
    """A page that is opened while a change is committed just after the n-th query of its round."""

    def __init__(self, person: User, page: Page, change: Callable[[], Any], *, after: int) -> None:
        self.client = client_of(person, page)
        self.changed = False
        self._change = change
        self._left = after

    def offered(self) -> str:
        """Run the round of the opening, then that of the change's event; return all that was offered."""
        asyncio.run(self._both_rounds())
        return "\n".join(self.client._queue)

    async def _both_rounds(self) -> None:
        memory, clients = Round(), {self.client}
        await memory.run(Dirty(joined={self.client}), clients, self._in_thread)
        self._left = 0
        event = Dirty(incidents={self.client.page.incident})
        await memory.run(event, clients, self._in_thread)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        def counted() -> Any:
            with connection.execute_wrapper(self._count):
                return work()

        return await asyncio.to_thread(_alone, counted)

    def _count(self, execute: Callable[..., Any], *asked: Any) -> Any:
        result = execute(*asked)
        self._left -= 1
        if not self._left:
            with ThreadPoolExecutor(1) as other:
                other.submit(_alone, self._change).result()
            self.changed = True
        return result


def _alone(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connections.close_all()


@pytest.fixture
def service(matrix: None) -> Service:
    return rows.shop()


@pytest.mark.parametrize("kind", ["incident", "list"])
def test_what_is_committed_while_a_page_opens_reaches_it_whenever_it_is(
    service: Service, shweta: User, kind: str
) -> None:
    incident = rows.asked(service)
    for after in count(1):
        title = f"Another title after query {after}"

        def change(title: str = title) -> None:
            with transaction.atomic():
                row = Incident.objects.get(pk=incident.pk)
                row.touch(title=title, waits_for="Somebody else is asked.")
                note(row, "joined", "Seen again")

        seen = incident.timeline.order_by("-id").values_list("id", flat=True)[0]
        page = Page(kind=kind, incident=incident.pk if kind == "incident" else 0, seen=seen)
        opened = Opened(shweta, page, change, after=after)
        offered = opened.offered()
        if not opened.changed:
            break
        assert title in offered
    assert after > 3


def test_a_page_that_opens_rings_no_bell_on_the_person_s_others(matrix: None, shweta: User) -> None:
    open_before, opened = (client_of(shweta, Page()) for _ in range(2))

    async def in_thread(work: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(_alone, work)

    async def both() -> None:
        memory, clients = Round(), {open_before, opened}
        late = Dirty(joined={open_before}, late={open_before})
        await memory.run(late, {open_before}, in_thread)
        open_before._queue.clear()
        await memory.run(Dirty(joined={opened}, late={opened}), clients, in_thread)

    asyncio.run(both())
    assert 'id="bell"' in "\n".join(opened._queue)
    assert "\n".join(open_before._queue) == ""
