"""The record of vendors, their breaker, their page and the checks of their settings."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client, TestCase
from django.utils import timezone

from agentops_site import checks, vendors
from agentops_site.integrations import breaker, usage
from agentops_site.integrations.breaker import LeftAlone, VendorError
from agentops_site.integrations.claude.names import choose
from agentops_site.integrations.deadline import OutOfTime, within
from agentops_site.models import VendorCall, VendorState
from agentops_site.tasks import test_vendor as ask_vendor
from teams.models import AuditEntry, User
from tests.standins import anthropic_api, white_circle_api
from tests.standins.anthropic_api import AnthropicStandIn
from tests.standins.white_circle_api import WhiteCircleStandIn

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def state() -> VendorState:
    return VendorState.objects.get(vendor="acme")


def fail(times: int) -> None:
    for _ in range(times):
        breaker.failed("acme", VendorError("down"), now=NOW)


def test_the_breaker_opens_after_repeated_failures_and_lets_one_call_through_later(
    settings: Any,
) -> None:
    settings.VENDOR_BREAKER_FAILURES, settings.VENDOR_BREAKER_SECONDS = 3, 60.0
    breaker.admit("acme", now=NOW)
    fail(2)
    breaker.admit("acme", now=NOW)
    fail(1)
    with pytest.raises(LeftAlone, match="3 times in a row"):
        breaker.admit("acme", now=NOW + timedelta(seconds=59))
    later = NOW + timedelta(seconds=61)
    breaker.admit("acme", now=later)
    with pytest.raises(LeftAlone):
        breaker.admit("acme", now=later)
    breaker.succeeded("acme", now=later)
    breaker.admit("acme", now=later)
    assert (state().failures, state().left_alone_until) == (0, None)


def test_a_success_in_between_starts_the_count_again(settings: Any) -> None:
    settings.VENDOR_BREAKER_FAILURES = 3
    breaker.admit("acme", now=NOW)
    for _ in range(3):
        fail(2)
        breaker.succeeded("acme", now=NOW)
    breaker.admit("acme", now=NOW)
    assert (state().calls, state().errors) == (9, 6)


def test_what_is_not_the_vendors_failure_does_not_open_the_breaker() -> None:
    breaker.admit("acme", now=NOW)
    for _ in range(10):
        breaker.failed("acme", VendorError("refused to answer", counts=False), now=NOW)
    breaker.admit("acme", now=NOW)


def test_every_call_is_recorded_with_time_and_cost() -> None:
    with usage.call("acme", "ask") as call:
        call.cost_usd = 0.25
    with pytest.raises(VendorError), usage.call("acme", "ask"):
        raise VendorError("no luck")
    with pytest.raises(KeyboardInterrupt), usage.call("acme", "ask"):
        raise KeyboardInterrupt
    rows = list(VendorCall.objects.order_by("id").values_list("ok", "error", "cost_usd"))
    assert rows == [(True, "", 0.25), (False, "no luck", 0.0), (False, "KeyboardInterrupt", 0.0)]
    assert (state().calls, state().errors, state().cost_usd) == (3, 2, 0.25)
    assert state().failures == 1


def test_a_deadline_cuts_a_call_off() -> None:
    cut: list[str] = []
    with pytest.raises(OutOfTime):
        within(0.05, lambda: time.sleep(0.5), cut=lambda: cut.append("cut"))
    assert cut == ["cut"]
    assert within(5, lambda: 7, cut=lambda: None) == 7
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0, cut=lambda: None)


def test_the_choice_of_a_model() -> None:
    listed = {"claude-next-9": "active", "claude-old-1": "retired"}
    assert choose("claude-opus-5-5", lambda: listed).warning == ""
    assert choose("claude-next-9", lambda: listed).model == "claude-next-9"
    for name in ("claude-sonnet-4-20250514", "claude-old-1", "claude-typo"):
        chosen = choose(name, lambda: listed)
        assert chosen.model == "claude-sonnet-5-5"
        assert name in chosen.warning


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        ({}, []),
        ({"ANTHROPIC_BASE_URL": "https://gateway.example"}, ["agentops.W101"]),
        ({"ANTHROPIC_BASE_URL": "http://g.example", "ANTHROPIC_API_KEY": "k"}, ["agentops.W102"]),
        ({"WHITECIRCLE_API_URL": "us.whitecircle.ai"}, ["agentops.E101"]),
        ({"BL_API_KEY": "k"}, ["agentops.W111"]),
        ({"BL_WORKSPACE": "w"}, ["agentops.W112"]),
        ({"WHITECIRCLE_API_KEY": "k"}, ["agentops.W121"]),
        ({"WHITECIRCLE_DEPLOYMENT_ID": "d"}, ["agentops.W122"]),
        ({"WHITECIRCLE_REQUIRED": True}, ["agentops.W123"]),
        ({"CLAUDE_MODEL": "claude-sonnet-4-20250514"}, ["agentops.W103"]),
        ({"CLAUDE_SUMMARY_MODEL": "claude-hiaku"}, ["agentops.W104"]),
        ({"CLAUDE_MAX_USD": 0}, ["agentops.E102"]),
    ],
)
def test_half_set_configuration_is_said(
    given: dict[str, Any], ids: list[str], settings: Any
) -> None:
    nothing = {needs: "" for pair in checks.NEEDS for needs in pair[:2]}
    for name, value in {**nothing, **given}.items():
        setattr(settings, name, value)
    assert [message.id for message in checks.vendors()] == ids


def test_the_page_shows_how_vendors_do_and_no_key(
    client: Client, maya: User, settings: Any
) -> None:
    settings.ANTHROPIC_API_KEY = "sk-ant-do-not-show-me"
    with usage.call("claude", "messages") as call:
        call.cost_usd = 0.5
    client.force_login(maya)
    page = client.get("/vendors/").content.decode()
    assert "$0.50" in page
    assert "not set up" in page
    assert "do-not-show-me" not in page


def test_the_page_that_asks_itself_again_keeps_the_focus_and_says_what_went_wrong(
    client: Client, maya: User
) -> None:
    VendorState.objects.create(
        vendor="claude", last_error_at=timezone.now(), last_error="no answer in 30 s"
    )
    client.force_login(maya)
    page = client.get("/vendors/", headers={"HX-Request": "true"}).content.decode()
    assert 'id="test-claude"' in page  # what has the focus is known again by its id
    assert re.search(r"Last error\s*<time[^>]*>[^<]*</time>\s*<br>[^<]*no answer in 30 s", page)


def test_only_who_configures_sees_the_page(client: Client, yash: User) -> None:
    client.force_login(yash)
    assert client.get("/vendors/").status_code == 403
    assert client.post("/vendors/claude/test/").status_code == 403


def test_the_number_of_queries_does_not_grow_with_the_calls(
    django_assert_max_num_queries: Any,
) -> None:
    for _ in range(30):
        breaker.admit("claude", now=NOW)
        VendorCall.objects.create(vendor="claude", operation="x", ok=True)
    with django_assert_max_num_queries(3):
        vendors.overview(now=timezone.now())


def test_the_button_has_the_worker_ask(
    client: Client, maya: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[object, ...]] = []
    monkeypatch.setattr("incidents.queue._send", lambda *task: sent.append(task))
    client.force_login(maya)
    with TestCase.captureOnCommitCallbacks(execute=True):
        assert client.post("/vendors/claude/test/").status_code == 200
        assert client.post("/vendors/nobody/test/").status_code == 404
    assert sent == [("agentops_site.tasks.test_vendor", ("claude",))]
    assert AuditEntry.objects.filter(verb="vendor.tested").count() == 1


def test_claude_says_which_models_can_be_used(settings: Any) -> None:
    with AnthropicStandIn() as stand_in:
        settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = anthropic_api.KEY, stand_in.url
        settings.CLAUDE_SUMMARY_MODEL = "claude-old-1"
        ask_vendor("claude")
    said = VendorState.objects.get(vendor="claude").test_result
    assert "claude-sonnet-5-5 can be used." in said
    assert "claude-old-1 is retired: claude-sonnet-5-5 is used in its place." in said


def test_a_wrong_key_is_a_result_of_the_test(settings: Any) -> None:
    with AnthropicStandIn() as stand_in:
        settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = "wrong", stand_in.url
        ask_vendor("claude")
    said = VendorState.objects.get(vendor="claude").test_result
    assert said.startswith("It does not work: Claude answered 401")
    assert "wrong" not in said


def test_white_circle_says_that_it_works(settings: Any) -> None:
    with WhiteCircleStandIn() as stand_in:
        settings.WHITECIRCLE_API_KEY = white_circle_api.KEY
        settings.WHITECIRCLE_API_URL = f"{stand_in.url}/api"
        settings.WHITECIRCLE_DEPLOYMENT_ID = white_circle_api.DEPLOYMENT
        ask_vendor("white_circle")
    assert VendorState.objects.get(vendor="white_circle").test_result == (
        "It works; 2 policies were checked."
    )
