"""The rules of what real requests say: enough failures and not one, an end by good answers or by silence, no flapping."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitoring.judging_traffic import Limits, Passed, endpoint, failing, has_failed, is_over
from tests.monitoring.conftest import NOON

RULE = Limits(failures=3, window=60, share=0.5, quiet=600, good_in_row=2)
ORDER = "POST /api/orders"


def passed(story: str, *, name: str = ORDER, ago: float = 0.0) -> list[Passed]:
    """Return one exchange a letter and second, the last one `ago` seconds before noon: x failed, o went well."""
    last = NOON - timedelta(seconds=ago)
    return [
        Passed(last - timedelta(seconds=len(story) - 1 - number), name, letter == "x")
        for number, letter in enumerate(story)
    ]


@pytest.mark.parametrize(
    ("story", "fails"),
    [
        ("xxx", True),
        ("xx", False),
        ("ooox", False),
        ("oxoxox", True),
        ("ooooooooxxx", True),
        ("xooxoox", False),
        ("xoxoo", False),
        ("xxxo", False),
        ("", False),
    ],
)
def test_an_endpoint_fails_by_number_and_share_of_its_answers(story: str, fails: bool) -> None:
    assert failing(passed(story), RULE, now=NOON) == (ORDER if fails else None)


def test_failures_far_apart_or_of_different_endpoints_are_single_ones() -> None:
    assert failing([*passed("xx", ago=70), *passed("x")], RULE, now=NOON) is None
    assert failing([*passed("xx"), *passed("x", name="GET /a")], RULE, now=NOON) is None


def test_of_two_failing_endpoints_the_one_that_began_is_named() -> None:
    mixed = [*passed("xxx", name="POST /b", ago=5), *passed("xxx")]
    assert failing(mixed, RULE, now=NOON) == "POST /b"


@pytest.mark.parametrize(
    ("story", "ago", "over"),
    [
        ("xxx", 0, False),
        ("xxxo", 0, False),
        ("xxxoo", 0, False),
        ("xxxoooo", 0, False),
        ("xxx" + 10 * "o", 0, True),
        ("xxxoox", 0, False),
        ("xxxoo", 61, True),
        ("xxx", 500, False),
        ("xxx", 601, True),
        ("", 0, False),
    ],
)
def test_a_failure_is_over_by_good_answers_or_by_a_long_silence(
    story: str, ago: float, over: bool
) -> None:
    since = NOON - timedelta(seconds=ago)
    assert is_over(passed(story, ago=ago), RULE, name=ORDER, since=since, now=NOON) is over


def test_a_ring_that_lost_the_failures_does_not_end_them() -> None:
    since = NOON - timedelta(seconds=30)
    assert not is_over([], RULE, name=ORDER, since=since, now=NOON)
    assert is_over([], RULE, name=ORDER, since=since, now=NOON + timedelta(seconds=600))


def test_what_ends_a_failure_does_not_let_it_begin_again() -> None:
    story = passed("xxx" + 10 * "o")
    assert is_over(story, RULE, name=ORDER, since=NOON - timedelta(seconds=5), now=NOON)
    assert failing([*story, *passed("x", ago=-1)], RULE, now=NOON) is None


@pytest.mark.parametrize(
    ("status", "failure", "failed"),
    [(500, "", True), (503, "", True), (None, "timeout", True), (None, "refused", False)]
    + [(status, "", False) for status in (200, 302, 400, 404, 409, 422, 429)],
)
def test_refusals_and_closed_ports_are_no_failures_of_traffic(
    status: int | None, failure: str, failed: bool
) -> None:
    assert has_failed(status, failure) is failed


def test_ids_in_a_path_are_one_endpoint() -> None:
    assert endpoint("POST", "/api/orders/17/pay?x=1") == "POST /api/orders/<id>/pay"
    assert endpoint("GET", "/api/products/linen-apron") == "GET /api/products/linen-apron"
