"""White Circle's yes, its no, its nonsense and its silence are four different things."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from agentops_site.integrations.white_circle import WhiteCircleReviewer
from agentops_site.models import VendorState
from incidents.models import Fix, Incident, SafetyReview
from incidents.pipeline import gates
from incidents.ports import ReviewError
from incidents.values import Edit, ProposedChange
from tests.integrations import cases
from tests.standins.server import as_json, drip, endless, hang, reset, respond, truncated
from tests.standins.white_circle_api import DEPLOYMENT, KEY, WhiteCircleStandIn

pytestmark = pytest.mark.django_db
AFTER = cases.GOOD
CHANGE = ProposedChange(
    service="Shop",
    actions=(Edit(path="handler.py", old='product["price"]', new='product["price_cents"]'),),
    before={"handler.py": cases.BROKEN},
    after={"handler.py": AFTER},
    diff='-product["price"]\n+product["price_cents"]',
    editable_globs=cases.GLOBS,
    author="Claude",
    incident_reference="incident-12",
)
GOOD = {"flagged": False, "internal_session_id": "s", "external_session_id": "incident-12"}


@pytest.fixture
def service(settings: Any) -> Iterator[WhiteCircleStandIn]:
    """Return a running stand-in that the settings name."""
    with WhiteCircleStandIn() as stand_in:
        settings.WHITECIRCLE_API_KEY = KEY
        settings.WHITECIRCLE_API_URL = f"{stand_in.url}/api"
        settings.WHITECIRCLE_DEPLOYMENT_ID = DEPLOYMENT
        settings.WHITECIRCLE_SECONDS = 1.5
        yield stand_in


def test_a_fix_that_breaks_no_policy_passes(service: WhiteCircleStandIn) -> None:
    verdict = WhiteCircleReviewer().review(CHANGE)
    assert verdict.passed is True
    assert verdict.policies == {"Data exfiltration": True, "Destructive actions": True}
    assert (verdict.session, verdict.reviewer) == ("ses-1", "White Circle")
    assert service.refused == []


def test_the_complete_fix_is_the_last_message(service: WhiteCircleStandIn) -> None:
    WhiteCircleReviewer().review(CHANGE)
    last = service.requests[0].json["messages"][-1]["content"]
    assert AFTER.decode() in last
    assert CHANGE.diff in last
    assert '"kind": "edit"' in last


def test_a_flagged_fix_does_not_pass_and_the_policy_is_named(service: WhiteCircleStandIn) -> None:
    service.judge = lambda text: {"p1"} if "price_cents" in text else set()
    verdict = WhiteCircleReviewer().review(CHANGE)
    assert verdict.passed is False
    assert verdict.policies["Data exfiltration"] is False
    assert "Data exfiltration" in verdict.findings[0].detail


def test_one_incident_is_one_session(service: WhiteCircleStandIn) -> None:
    first, second = (WhiteCircleReviewer().review(CHANGE) for _ in range(2))
    other = WhiteCircleReviewer().review(replace(CHANGE, incident_reference="incident-13"))
    assert first.session == second.session != other.session


UNCLEAR: dict[str, Any] = {
    "empty object": as_json({}),
    "list": as_json([GOOD]),
    "null": as_json(None),
    "text for a boolean": as_json({**GOOD, "flagged": "false"}),
    "zero for a boolean": as_json({**GOOD, "flagged": 0}),
    "older field": as_json({"violation": False}),
    "a flagged policy": as_json({**GOOD, "policies": {"p": {"name": "P", "flagged": True}}}),
    "a policy without a boolean": as_json({**GOOD, "policies": {"p": {"name": "P"}}}),
    "policies as a list": as_json({**GOOD, "policies": [{"name": "P", "flagged": False}]}),
    "another session": as_json({**GOOD, "external_session_id": "incident-99"}),
    "HTML": respond(b"<html>fine</html>", kind="text/html"),
    "empty": respond(b""),
    "no content": respond(b"", status=204),
    "cut JSON": respond(b'{"flagged": fal'),
    "deep nesting": respond(b"[" * 200_000),
    "endless": endless,
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_an_unclear_answer_is_not_a_pass(name: str, service: WhiteCircleStandIn) -> None:
    service.turns = [UNCLEAR[name]]
    verdict = WhiteCircleReviewer().review(CHANGE)
    assert verdict.passed is False
    assert verdict.findings


SILENT: dict[str, tuple[Any, str]] = {
    "400": (as_json({}, status=400), "answered 400"),
    "401": (as_json({}, status=401), "answered 401"),
    "404": (as_json({}, status=404), "answered 404"),
    "413": (as_json({}, status=413), "answered 413"),
    "429": (as_json({}, status=429, retry_after="3600"), "answered 429"),
    "500": (as_json({"flagged": False}, status=500), "answered 500"),
    "503": (respond(b"busy", status=503), "answered 503"),
    "redirect": (respond(b"", status=307, Location="http://127.0.0.1:9/"), "answered 307"),
    "hang": (hang, "no answer"),
    "drip": (drip, "no answer"),
    "reset": (reset, "connection"),
    "truncated": (truncated, "connection"),
}


@pytest.mark.parametrize("name", SILENT)
def test_no_answer_is_no_verdict_in_bounded_time(name: str, service: WhiteCircleStandIn) -> None:
    turn, words = SILENT[name]
    service.turns = [turn]
    began = time.monotonic()
    with pytest.raises(ReviewError, match=words):
        WhiteCircleReviewer().review(CHANGE)
    assert time.monotonic() - began < 4
    assert VendorState.objects.get(vendor="white_circle").errors >= 1


def test_a_passing_failure_is_tried_once_more(service: WhiteCircleStandIn) -> None:
    service.turns = [as_json({}, status=503), as_json(GOOD)]
    assert WhiteCircleReviewer().review(CHANGE).passed is True


def test_a_fix_too_large_to_be_shown_whole_does_not_pass(service: WhiteCircleStandIn) -> None:
    large = replace(CHANGE, after={"handler.py": b"x = 1\n" * 100_000})
    assert WhiteCircleReviewer().review(large).passed is False
    assert service.requests == []


def test_secrets_stay_home(service: WhiteCircleStandIn) -> None:
    canaries = ["c4nary-one-1", "c4nary-two-2", "c4nary-three-3"]
    change = replace(
        CHANGE,
        before={"handler.py": f'password = "{canaries[0]}"\n'.encode()},
        after={"handler.py": f'password = "{canaries[0]}"\nurl = "{canaries[1]}"\n'.encode()},
        diff=f'+API_KEY = "{canaries[2]}"',
        environment={"SHOP_TOKEN": canaries[1]},
    )
    WhiteCircleReviewer().review(change)
    assert service.raw
    assert not [canary for canary in canaries if canary.encode() in service.raw]


def test_half_set_up_it_gives_no_verdict_and_sends_nothing(
    service: WhiteCircleStandIn, settings: Any
) -> None:
    settings.WHITECIRCLE_DEPLOYMENT_ID = ""
    with pytest.raises(ReviewError, match="WHITECIRCLE_DEPLOYMENT_ID"):
        WhiteCircleReviewer().review(CHANGE)
    assert service.requests == []


@pytest.mark.parametrize(
    ("required", "white_circle", "built_in", "safe"),
    [
        (False, None, True, True),
        (True, None, True, False),
        (True, True, True, True),
        (False, True, False, False),
        (False, False, True, False),
        (True, True, False, False),
        (False, None, None, False),
    ],
)
def test_both_must_pass_and_a_missing_verdict_counts_only_where_one_is_required(
    required: bool, white_circle: bool | None, built_in: bool | None, safe: bool, settings: Any
) -> None:
    settings.WHITECIRCLE_REQUIRED = required
    fix = _fix(cases.incident())
    for reviewer, passed in (("AgentOps Safety Guard", built_in), ("White Circle", white_circle)):
        SafetyReview.objects.create(fix=fix, reviewer=reviewer, passed=passed)
    assert gates.safety_of(fix)[0] is safe


def _fix(incident: Incident) -> Fix:
    return Fix.objects.create(
        incident=incident, attempt=1, explanation="x", digest="d", base_digest="b"
    )
