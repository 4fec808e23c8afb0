"""The conversation keeps its limits, and repeats nothing."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace
from typing import Any

import pytest

from agentops_site.integrations.claude import ClaudeDiagnostician
from agentops_site.integrations.claude.budget import Budget, BudgetSpent, Limits, Price, Tokens
from incidents.models import AgentRun, ModelExchange
from incidents.ports import DiagnosisError
from incidents.values import Action, EvidencePack, Workbench
from monitoring.values import Answer
from tests.integrations.claude.scripts import REPAIR, final
from tests.standins.anthropic_api import AnthropicStandIn, tool


def endless_reader() -> Any:
    """Return a turn that reads one line after the other, for ever, never the same twice."""
    numbers = itertools.count(1)
    return lambda body: [tool("read_file", next(numbers), path="handler.py", first=next(numbers))]


def fails(pack: EvidencePack) -> str:
    with pytest.raises(DiagnosisError) as raised:
        ClaudeDiagnostician().diagnose(pack)
    return str(raised.value)


def test_turns_are_limited_and_the_last_one_allows_no_tools(
    api: AnthropicStandIn, pack: EvidencePack
) -> None:
    api.turns = [endless_reader()]
    assert "12 turns" in fails(pack)
    assert len(api.asked) == 12
    assert [request.get("tool_choice") for request in api.asked] == [None] * 11 + [{"type": "none"}]
    assert "final structured answer now" in str(api.asked[-1]["messages"][-1])


def test_a_model_that_is_told_to_conclude_may_still_answer(
    api: AnthropicStandIn, pack: EvidencePack
) -> None:
    reader = endless_reader()
    api.turns = [lambda body: final() if "tool_choice" in body else reader(body)]
    assert ClaudeDiagnostician().diagnose(pack).spent["turns"] == 12


def test_money_is_limited_for_the_whole_incident(
    api: AnthropicStandIn, pack: EvidencePack, settings: Any
) -> None:
    settings.CLAUDE_PRICES = {"claude-sonnet-5-5": (40.0, 50.0)}
    api.turns = [endless_reader()]
    assert "$0.50" in fails(pack)
    spent = sum(row.cost_usd for row in ModelExchange.objects.all())
    assert 0.05 < spent <= 0.5
    assert "$0.50" in fails(replace(pack, attempt=2))
    assert sum(row.cost_usd for row in ModelExchange.objects.all()) <= 0.5


def test_no_call_is_made_that_could_break_the_limit(settings: Any) -> None:
    budget = Budget(limits=Limits.from_settings(), price=Price(read=2, write=10), usd=0.45)
    assert budget.room(3_000).max_tokens * 10 / 1_000_000 <= 0.05
    budget.usd = 0.499
    with pytest.raises(BudgetSpent):
        budget.room(3_000)


def test_an_unknown_model_costs_what_the_dearest_does(settings: Any) -> None:
    assert Price.of("claude-next-9") == Price.of("claude-opus-5-5")


def test_cached_tokens_cost_a_tenth() -> None:
    price = Price(read=2, write=10)
    assert price.cost(Tokens(cache_read=1_000_000)) == pytest.approx(0.2)
    assert price.cost(Tokens(cache_write=1_000_000)) == pytest.approx(2.5)
    assert price.cost(Tokens(fresh=1_000_000, output=1_000_000)) == pytest.approx(12)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        (("CLAUDE_MAX_INPUT_TOKENS", 20_000), "read more than"),
        (("CLAUDE_MAX_OUTPUT_TOKENS", 1_000), "tokens"),
        (("CLAUDE_MAX_TURNS", 2), "2 turns"),
    ],
)
def test_tokens_and_turns_are_settings(
    limit: tuple[str, int], words: str, api: AnthropicStandIn, pack: EvidencePack, settings: Any
) -> None:
    setattr(settings, *limit)
    api.turns = [endless_reader()]
    assert words in fails(pack)


def test_time_is_limited(api: AnthropicStandIn, pack: EvidencePack, settings: Any) -> None:
    settings.CLAUDE_MAX_SECONDS, api.delay = 1.5, 0.4
    api.turns = [endless_reader()]
    began = time.monotonic()
    assert "s" in fails(pack)
    assert time.monotonic() - began < 3
    assert AgentRun.objects.get().seconds < 3


def test_a_repeated_call_is_refused_and_costs_nothing_but_the_turn(
    api: AnthropicStandIn, pack: EvidencePack
) -> None:
    same = tool("read_file", path="handler.py", first=1, last=5)
    again = {**same, "id": "toolu_2", "input": dict(reversed(same["input"].items()))}
    api.turns = [[same], [again], final()]
    ClaudeDiagnostician().diagnose(pack)
    first, second = (request["messages"][-1]["content"][0] for request in api.asked[1:])
    assert "untrusted" in first["content"]
    assert second["is_error"] is True
    assert "this very call before" in second["content"]


@pytest.mark.parametrize(
    "call",
    [
        tool("delete_file", path="handler.py"),
        tool("read_file", path="../../etc/passwd"),
        tool("read_file", path="/etc/passwd"),
        tool("read_file", path="handler.py", first=-1),
        tool("read_file", path="handler.py", mode="w"),
        tool("search_source", text=""),
        tool("request_copy", path="/health"),
        tool("try_fix", actions=[REPAIR]),
    ],
    ids=lambda call: f"{call['name']} {call['input']}"[:50],
)
def test_what_is_no_tool_or_no_input_is_refused(
    call: dict[str, Any], api: AnthropicStandIn, pack: EvidencePack
) -> None:
    api.turns = [[call], final()]
    ClaudeDiagnostician().diagnose(pack)
    assert api.asked[1]["messages"][-1]["content"][0]["is_error"] is True


def test_a_fix_may_be_tried_and_repaired_twice(api: AnthropicStandIn, pack: EvidencePack) -> None:
    tried: list[tuple[Action, ...]] = []

    def attempt(actions: tuple[Action, ...]) -> str:
        tried.append(actions)
        return "It does not pass."

    bench = Workbench(ask=lambda request: Answer(status=500, body=b"boom"), attempt=attempt)
    tries = [
        [tool("try_fix", n, actions=[{**REPAIR, "new": f"product['p{n}']"}])] for n in range(4)
    ]
    api.turns = [[tool("request_copy", path="/health")], *tries, final()]
    ClaudeDiagnostician().diagnose(replace(pack, workbench=bench))
    assert len(tried) == 3
    assert "boom" in str(api.asked[1]["messages"][-1])
    assert "repaired twice" in str(api.asked[5]["messages"][-1])
