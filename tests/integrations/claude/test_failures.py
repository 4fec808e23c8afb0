"""Every way in which the API can fail ends in the built-in engine, with the reason and in bounded time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from agentops_site.integrations.claude import ClaudeDiagnostician, ClaudeFixWriter
from agentops_site.models import VendorState
from incidents import providers
from incidents.engine.diagnostician import BuiltInDiagnostician
from incidents.models import AgentRun, Diagnosis, Incident
from incidents.pipeline import diagnose, propose
from incidents.ports import DiagnosisError
from incidents.values import EvidencePack, Wishes
from tests.integrations.claude import scripts
from tests.integrations.claude.faults import FAULTS, STOPS
from tests.standins.anthropic_api import AnthropicStandIn, error, tool
from tests.standins.server import reset

LIMIT = 3.0


@pytest.fixture(autouse=True)
def _short_limits(settings: Any) -> None:
    settings.CLAUDE_CALL_SECONDS = 1.0
    settings.CLAUDE_MAX_SECONDS = LIMIT


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_a_reason_within_bounded_time(
    name: str, api: AnthropicStandIn, pack: EvidencePack
) -> None:
    turn, words = FAULTS[name]
    api.turns = [turn]
    began = time.monotonic()
    with pytest.raises(DiagnosisError, match=words) as raised:
        ClaudeDiagnostician().diagnose(pack)
    assert time.monotonic() - began < LIMIT + 2
    run = AgentRun.objects.get(incident=pack.incident_id)
    assert (run.state, run.reason) == ("failed", str(raised.value))
    assert run.exchanges.exists()
    found = BuiltInDiagnostician().diagnose(pack)
    assert ClaudeFixWriter().propose(pack, found, Wishes()) == []


@pytest.mark.parametrize(("stop_reason", "words"), STOPS)
def test_an_answer_that_did_not_end_by_itself_is_none(
    stop_reason: str, words: str, api: AnthropicStandIn, pack: EvidencePack
) -> None:
    api.turns, api.stop_reason = [scripts.final()], stop_reason
    with pytest.raises(DiagnosisError, match=words):
        ClaudeDiagnostician().diagnose(pack)


def test_a_fault_in_the_middle_of_a_conversation_counts_too(
    api: AnthropicStandIn, pack: EvidencePack
) -> None:
    api.turns = [[tool("list_files")], error(529, "overloaded_error")]
    with pytest.raises(DiagnosisError, match="529"):
        ClaudeDiagnostician().diagnose(pack)
    rows = list(AgentRun.objects.get().exchanges.all())
    assert [bool(row.error) for row in rows] == [False, True]


@pytest.mark.parametrize("fault", [error(529, "overloaded_error"), reset, error(500, "api_error")])
def test_a_passing_failure_is_tried_once_more(
    fault: Any, api: AnthropicStandIn, pack: EvidencePack
) -> None:
    api.turns = [fault, scripts.final()]
    assert ClaudeDiagnostician().diagnose(pack).author == "Claude"
    assert len(api.asked) == 2


@pytest.mark.parametrize("fault", [error(401, "authentication_error"), error(400, "bad")])
def test_a_lasting_failure_is_not_tried_again(
    fault: Any, api: AnthropicStandIn, pack: EvidencePack
) -> None:
    api.turns = [fault, scripts.final()]
    with pytest.raises(DiagnosisError) as raised:
        ClaudeDiagnostician().diagnose(pack)
    assert raised.value.permanent
    assert len(api.asked) == 1


def test_a_refused_connection_is_a_reason(settings: Any, pack: EvidencePack) -> None:
    settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = "k", "http://127.0.0.1:9"
    with pytest.raises(DiagnosisError, match="connection"):
        ClaudeDiagnostician().diagnose(pack)


def test_the_steps_go_on_with_the_built_in_engine_and_say_so(
    api: AnthropicStandIn, pack: EvidencePack, incident: Incident, claude_first: None
) -> None:
    api.turns = [error(529, "overloaded_error")]
    diagnose.diagnose(incident, providers.tools())
    propose.propose(incident, providers.tools())
    row = Diagnosis.objects.get(incident=incident)
    assert row.author == "built-in"
    assert not row.spent.get("model_answered")
    assert "Claude: Claude answered 529" in row.fallback_reason
    said = list(incident.timeline.filter(kind="fallback").values_list("text", flat=True))
    assert len(said) == 1
    assert "529" in said[0]
    assert incident.fixes.exists()


def test_after_repeated_failures_claude_is_left_alone_and_tried_again_by_one_call(
    api: AnthropicStandIn, pack: EvidencePack, settings: Any
) -> None:
    settings.VENDOR_BREAKER_FAILURES, settings.VENDOR_BREAKER_SECONDS = 2, 0.6
    api.turns = [error(500, "api_error")]
    _fails(pack)
    asked = len(api.requests)
    assert "left alone" in _fails(pack)
    assert len(api.requests) == asked
    VendorState.objects.filter(vendor="claude").update(left_alone_until="2020-01-01T00:00:00Z")
    api.turns = [scripts.final()]
    AgentRun.objects.all().delete()
    assert ClaudeDiagnostician().diagnose(pack).author == "Claude"
    assert VendorState.objects.get(vendor="claude").left_alone_until is None


def _fails(pack: EvidencePack) -> str:
    AgentRun.objects.all().delete()
    with pytest.raises(DiagnosisError) as raised:
        ClaudeDiagnostician().diagnose(pack)
    return str(raised.value)
