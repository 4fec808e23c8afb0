"""What is spoken reaches the open pages, by the real socket of a real server."""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.utils import timezone

from agentops_site import speaking
from agentops_site.models import Speech
from monitoring.realtime import publish
from teams.models import User
from tests.browser.fixtures import broker, data_folder, running_web, web
from tests.browser.stack import Web
from tests.incidents.sockets import Socket

__all__ = ["broker", "data_folder", "running_web", "web"]


@pytest.mark.django_db(transaction=True)
def test_an_open_page_is_told_to_ask_for_its_alert(web: Web, shweta: User) -> None:
    row = Speech.objects.create(
        kind="alert", key="incident:1:1:AWAITING_APPROVAL", title="Orders fail", severity="high", script="Orders fail."
    )  # fmt: skip
    with Socket(web, shweta) as socket:
        socket.settle()
        assert speaking.speak(row.pk, now=timezone.now())
        pushed = heard(socket)
    assert 'hx-get="/voice/latest/"' in pushed


def heard(socket: Socket) -> str:
    """Return what came; the server may still be subscribing, and what is published before that is not heard."""
    for _ in range(40):
        with suppress(AssertionError):
            return socket.until(lambda text: "voice-signal" in text, limit=0.5)
        publish("speech", {"id": 1, "audio": ""})
    raise AssertionError("nothing was pushed")
