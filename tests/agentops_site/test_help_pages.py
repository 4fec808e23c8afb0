"""The help pages say what the rules do, and change with them."""

from __future__ import annotations

from typing import Any

from django.test import Client

from agentops_site.help_pages import terms
from incidents import confidence
from incidents.models import AgentState
from incidents.values import Category, Severity
from teams.models import User
from tests.incidents import rows

FACTS = confidence.Facts(
    category=Category.CODE, file="a.py", line=1, trial_passed=True, fix_applied=True,
    safety_passed=True, safety_score=1.0, model_answered=True, severity=Severity.LOW,
)  # fmt: skip


def page(client: Client, person: User, address: str) -> str:
    client.force_login(person)
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_term_of_the_score_is_explained() -> None:
    counted = [term.name for term in confidence.score(FACTS).terms if term.name != "limit"]
    assert len(terms()) == len(counted)
    assert all(line.why and line.label and line.value for line in terms())


def test_the_thresholds_are_those_of_the_settings(
    client: Client, viewer: User, settings: Any
) -> None:
    settings.AUTO_FIX_THRESHOLD, settings.ESCALATION_THRESHOLD = 0.91, 0.37
    shown = page(client, viewer, "/help/decides/")
    assert "0.91 and more" in shown
    assert "below 0.37" in shown


def test_each_service_is_shown_with_what_it_allows(client: Client, viewer: User) -> None:
    rows.shop(autonomy="auto", auto_ceiling="blocker", auto_threshold=0.88)
    rows.shop(name="Books", slug="books", autonomy="ask")
    shown = page(client, viewer, "/help/alone/")
    assert "0.88 and severity medium or lower" in shown  # no row can lift the ceiling over medium
    assert shown.count(">never<") == 1


def test_a_pause_is_said_first(client: Client, viewer: User) -> None:
    AgentState.now()
    AgentState.objects.update(paused=True, reason="Sale until noon")
    assert "Sale until noon" in page(client, viewer, "/help/alone/")


def test_the_icon_that_browsers_ask_for_is_there(client: Client) -> None:
    answer = client.get("/favicon.ico")
    assert (answer.status_code, answer["Location"]) == (302, "/static/icons/favicon.svg")
