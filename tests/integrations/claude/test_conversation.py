"""One conversation gives diagnosis and fix, with the real SDK over a real socket."""

from __future__ import annotations

import time
from dataclasses import replace

from agentops_site.integrations.claude import ClaudeDiagnostician, ClaudeFixWriter
from agentops_site.models import VendorCall, VendorState
from incidents.models import AgentRun, ModelExchange
from incidents.values import Category, Edit, EvidencePack, Wishes
from tests.integrations.claude.scripts import REPAIR, diagnosis, final
from tests.standins.anthropic_api import AnthropicStandIn, tool

LOOKS = [
    [tool("show_diff", path="handler.py"), tool("read_file", path="handler.py")],
    [tool("search_source", text="price"), tool("read_log", last=20)],
]


def test_a_conversation_yields_the_diagnosis_and_the_fix(
    api: AnthropicStandIn, pack: EvidencePack
) -> None:
    api.turns = [*LOOKS, final()]
    found = ClaudeDiagnostician().diagnose(pack)
    assert (found.category, found.file, found.line) == (Category.CODE, "handler.py", 7)
    assert found.author == "Claude"
    assert found.spent["model_answered"] is True
    assert found.spent["turns"] == 3
    assert 0 < found.spent["cost_usd"] < 0.5
    asked = len(api.requests)
    (fix,) = ClaudeFixWriter().propose(pack, found, Wishes())
    assert fix.actions == (Edit(path="handler.py", old=REPAIR["old"], new=REPAIR["new"]),)
    assert len(api.requests) == asked, "the fix writer must not talk again"
    assert api.refused == []


def test_tools_show_the_files_the_log_and_the_hunks(
    api: AnthropicStandIn, pack: EvidencePack
) -> None:
    api.turns = [*LOOKS, final()]
    ClaudeDiagnostician().diagnose(pack)
    first, second = (request["messages"][-1]["content"] for request in api.asked[1:3])
    assert "hunk " in first[0]["content"]
    assert '7      return product["price"] / 100' in first[1]["content"]
    assert "handler.py:7:" in second[0]["content"]
    assert "GET /health 500" in second[1]["content"]


def test_every_exchange_is_kept_with_its_tokens_cost_and_time(
    api: AnthropicStandIn, pack: EvidencePack
) -> None:
    api.turns = [*LOOKS, final()]
    found = ClaudeDiagnostician().diagnose(pack)
    run = AgentRun.objects.get(incident=pack.incident_id)
    rows = list(run.exchanges.all())
    assert (run.state, [row.turn for row in rows]) == ("answered", [1, 2, 3])
    assert [row.stop_reason for row in rows] == ["tool_use", "tool_use", "end_turn"]
    assert rows[0].sent[0]["role"] == "user"
    assert rows[1].sent[0]["content"][0]["type"] == "tool_result"
    assert all(len(row.sent) == 1 and row.cost_usd > 0 for row in rows)
    assert found.spent["cost_usd"] == round(sum(row.cost_usd for row in rows), 6)
    assert VendorCall.objects.filter(vendor="claude", ok=True).count() == 3
    state = VendorState.objects.get(vendor="claude")
    assert (state.calls, state.errors) == (3, 0)
    assert abs(state.cost_usd - found.spent["cost_usd"]) < 1e-6


def test_the_past_is_read_from_the_cache(api: AnthropicStandIn, pack: EvidencePack) -> None:
    api.turns = [*LOOKS, final()]
    found = ClaudeDiagnostician().diagnose(pack)
    later = ModelExchange.objects.order_by("id")[1:]
    assert all(row.cache_read_tokens > row.cache_write_tokens for row in later)
    assert found.spent["cached_tokens"] > found.spent["input_tokens"] / 2


def test_thinking_blocks_go_back_unchanged(api: AnthropicStandIn, pack: EvidencePack) -> None:
    api.turns = [LOOKS[0], final()]
    ClaudeDiagnostician().diagnose(pack)
    said = api.asked[1]["messages"][1]["content"][0]
    assert said == {"type": "thinking", "thinking": "Let me see.", "signature": "sig-1"}


def test_a_killed_worker_does_not_pay_twice_for_an_answered_conversation(
    api: AnthropicStandIn, pack: EvidencePack
) -> None:
    api.turns = [final()]
    first = ClaudeDiagnostician().diagnose(pack)
    again = ClaudeDiagnostician().diagnose(pack)
    assert again == first
    assert len(api.asked) == 1


def test_a_new_attempt_is_a_new_conversation_that_knows_what_people_asked_for(
    api: AnthropicStandIn, pack: EvidencePack
) -> None:
    api.turns = [final()]
    ClaudeDiagnostician().diagnose(pack)
    wishes = Wishes(requests=("Please keep the old key working.",))
    ClaudeDiagnostician().diagnose(replace(pack, attempt=2, wishes=wishes))
    assert len(api.asked) == 2
    assert "keep the old key working" in str(api.asked[1]["messages"])


def test_with_a_second_a_turn_the_answer_is_there_in_fifteen(
    api: AnthropicStandIn, pack: EvidencePack
) -> None:
    api.turns, api.delay = [*LOOKS, final()], 1.0
    began = time.monotonic()
    ClaudeDiagnostician().diagnose(pack)
    assert time.monotonic() - began < 12


def test_no_honest_fix_is_an_answer_too(api: AnthropicStandIn, pack: EvidencePack) -> None:
    api.turns = [final(fix=None)]
    found = ClaudeDiagnostician().diagnose(pack)
    assert ClaudeFixWriter().propose(pack, found, Wishes()) == []


def test_places_that_do_not_exist_are_left_out(api: AnthropicStandIn, pack: EvidencePack) -> None:
    api.turns = [final(diagnosis=diagnosis(file="invented.py", line=3))]
    found = ClaudeDiagnostician().diagnose(pack)
    assert (found.file, found.line) == ("", None)
