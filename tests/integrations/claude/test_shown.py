"""Every exchange can be seen by who may see the incident."""

from __future__ import annotations

from typing import Any

from django.test import Client

from agentops_site.integrations.claude import ClaudeDiagnostician
from incidents.values import EvidencePack
from teams.models import User
from tests.integrations.claude.scripts import final
from tests.standins.anthropic_api import AnthropicStandIn, text, tool


def test_the_conversation_is_shown_on_request(
    client: Client, viewer: User, api: AnthropicStandIn, pack: EvidencePack
) -> None:
    said = text("<script>alert(1)</script>")
    api.turns = [[said, tool("read_file", path="handler.py")], final()]
    ClaudeDiagnostician().diagnose(pack)
    client.force_login(viewer)
    page = client.get(f"/incidents/{pack.incident_id}/conversation/").content.decode()
    assert "Claude, attempt 1" in page
    assert "uses read_file" in page
    assert "from the cache" in page
    assert "<script>" not in page
    assert client.get("/incidents/999/conversation/").status_code == 404


def test_nobody_else_sees_it(client: Client, pack: EvidencePack) -> None:
    answer = client.get(f"/incidents/{pack.incident_id}/conversation/")
    assert answer.status_code == 302


def test_it_takes_as_many_queries_for_two_turns_as_for_six(
    client: Client, viewer: User, api: AnthropicStandIn, pack: EvidencePack,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    api.turns = [
        *[[tool("read_file", n, path="handler.py", first=n)] for n in range(1, 6)],
        final(),
    ]
    ClaudeDiagnostician().diagnose(pack)
    client.force_login(viewer)
    with django_assert_max_num_queries(8):
        client.get(f"/incidents/{pack.incident_id}/conversation/")
