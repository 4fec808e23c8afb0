"""A round of pushes: what happens while it is at work is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, transaction

from incidents.consumers.client import Client, Identity, Page
from incidents.consumers.rounds import Dirty, Round
from incidents.models import Incident
from incidents.timeline import note
from monitoring.models import Service
from teams.models import User
from tests.incidents import rows

pytestmark = pytest.mark.django_db(transaction=True)


class Pages:
    """A page in one round that opens while a change is committed just after it was looked who is late."""

    def __init__(self, person: User, page: Page) -> None:
        async def send(_text: str) -> None: ...
        async def close(_code: int) -> None: ...

        identity = Identity(
            person=person.pk, role=person.role, time_zone="UTC", session="s", auth_hash="h"
        )
        self.client = Client(identity, page, send=send, close=close)
        self.round = Round()

    def open_while(self, change: Callable[[], Any]) -> str:
        """Run the round of the opening, then that of an event; return all that was offered."""
        asked = 0

        async def in_thread(work: Callable[[], Any]) -> Any:
            nonlocal asked
            result = await asyncio.to_thread(_alone, work)
            asked += 1
            if asked == 1:
                await asyncio.to_thread(_alone, change)
            return result

        async def both() -> None:
            clients = {self.client}
            await self.round.run(Dirty(joined={self.client}), clients, in_thread)
            event = Dirty(incidents={self.client.page.incident})
            await self.round.run(event, clients, in_thread)

        asyncio.run(both())
        return "\n".join(self.client._queue)


def _alone(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connections.close_all()


@pytest.fixture
def service(matrix: None) -> Service:
    return rows.shop()


@pytest.mark.parametrize("kind", ["incident", "list"])
def test_what_is_committed_while_a_page_opens_reaches_it(
    service: Service, shweta: User, kind: str
) -> None:
    incident = rows.asked(service)
    seen = incident.timeline.order_by("-id").values_list("id", flat=True)[0]
    page = Page(kind=kind, incident=incident.pk if kind == "incident" else 0, seen=seen)

    def change() -> None:
        with transaction.atomic():
            row = Incident.objects.get(pk=incident.pk)
            row.touch(title="Another title by now", waits_for="Somebody else is asked.")
            note(row, "joined", "Seen again")

    offered = Pages(shweta, page).open_while(change)
    assert "Another title by now" in offered
