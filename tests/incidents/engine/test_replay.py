"""A trial passes only when good answers stay what they were: noise is told apart from change."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.engine.replay import NO_MASK, compare, learn_mask, same
from monitoring.values import Answer

JSON = {"Content-Type": "application/json; charset=utf-8"}


def answer(document: Any, status: int = 200) -> Answer:
    return Answer(status=status, headers=JSON, body=json.dumps(document).encode())


def text(body: str) -> Answer:
    return Answer(status=200, headers={"content-type": "text/plain"}, body=body.encode())


@pytest.mark.parametrize(
    ("right", "now", "words"),
    [
        ({"a": 1}, {"a": 2}, "$.a: expected 1, got 2"),
        ({"a": 1}, {}, "$.a: expected 1, got nothing"),
        ({}, {"a": 1}, "$.a: expected nothing, got 1"),
        ({"a": 1}, {"a": "1"}, '$.a: expected 1, got "1"'),
        ({"a": 1}, {"a": True}, "$.a: expected 1, got true"),
        ({"a": None}, {"a": {}}, "$.a: expected null, got an object"),
        ({"a": [1, 2]}, {"a": [1]}, "$.a: expected a list of 2, got a list of 1"),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, "$.a[0].b: expected 1, got 2"),
        ({"a b": 1}, {"a b": 2}, '$["a b"]: expected 1, got 2'),
        ([1, 2], [2, 1], "$[0]: expected 1, got 2"),
        ({"due": "2026-01-02"}, {"due": "2026-01-03"}, '$.due: expected "2026-01-02"'),
        ({"timeout_seconds": 1}, {"timeout_seconds": 2}, "$.timeout_seconds: expected 1, got 2"),
        ({"paid_at": "2026-01-02T03:04:05Z"}, {"paid_at": None}, "$.paid_at: expected"),
    ],
)
def test_a_difference_is_named_with_its_path(right: Any, now: Any, words: str) -> None:
    assert str(compare(answer(right), answer(now))[0]).startswith(words)


@pytest.mark.parametrize(
    ("right", "now"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1.0}, {"a": 1}),
        ({"a": 0.3}, {"a": 0.1 + 0.2}),
        ({"at": "2026-01-02T03:04:05.123Z"}, {"at": "2026-01-02T03:04:09Z"}),
        ({"uptime": 3}, {"uptime": 4}),
        ({"x": {"created_at": 17000000}}, {"x": {"created_at": 17000009}}),
    ],
)
def test_what_means_the_same_or_merely_ticks_is_no_difference(right: Any, now: Any) -> None:
    assert same(answer(right), answer(now))


def test_noise_is_learned_once_for_all_entries_and_must_keep_its_type() -> None:
    one = answer({"items": [{"id": "a", "n": 1}, {"id": "b", "n": 2}], "total": 3})
    two = answer({"items": [{"id": "c", "n": 1}, {"id": "b", "n": 2}], "total": 3})
    mask = learn_mask(one, two)
    assert mask.words() == "$.items[*].id"
    good = {"items": [{"id": "x", "n": 1}, {"id": "y", "n": 2}], "total": 3}
    assert same(one, answer(good), mask)
    assert compare(one, answer({**good, "total": 4}), mask)[0].where == "$.total"
    number = {"items": [{"id": 7, "n": 1}, {"id": "y", "n": 2}], "total": 3}
    assert compare(one, answer(number), mask)[0].where == "$.items[0].id"
    gone = {"items": [{"n": 1}, {"id": "y", "n": 2}], "total": 3}
    assert compare(one, answer(gone), mask)[0].where == "$.items[0].id"


def test_what_comes_and_goes_by_itself_is_free_with_all_below_it() -> None:
    mask = learn_mask(answer({"a": None, "b": 1}), answer({"a": {"x": 1}, "b": 1}))
    assert same(answer({"a": {"x": 1}, "b": 1}), answer({"a": {"x": 2, "y": 3}, "b": 1}), mask)
    assert not same(answer({"a": 1, "b": 1}), answer({"a": 1, "b": 2}), mask)


def test_status_and_content_type_count() -> None:
    right = answer({"a": 1})
    assert str(compare(right, answer({"a": 1}, 404))[0]) == "status: expected 200, got 404"
    as_text = Answer(status=200, headers={"content-type": "text/html"}, body=right.body)
    assert (
        str(compare(right, as_text)[0]) == "content type: expected application/json, got text/html"
    )
    other = Answer(status=200, headers={"content-type": "APPLICATION/JSON"}, body=right.body)
    assert same(right, other)
    assert str(compare(right, Answer(failure="timeout"))[0]).endswith("got no answer (timeout)")
    broken = Answer(status=200, headers=JSON, body=b'{"a": ')
    assert str(compare(right, broken)[0]) == "body: expected JSON, got no JSON"


def test_text_is_compared_line_by_line_under_its_own_mask() -> None:
    mask = learn_mask(text("Hello\nit is 12:01\nbye"), text("Hello\nit is 12:02\nbye"))
    assert mask.words() == "line 2"
    assert same(text("Hello\nit is 12:01\nbye"), text("Hello\nit is 12:09\nbye"), mask)
    assert compare(text("Hello\nx\nbye"), text("Hallo\nx\nbye"), mask)[0].where == "line 1"
    assert compare(text("a"), text("a\nb"))[0].where == "body"


def test_a_service_that_answers_differently_every_time_is_recognised() -> None:
    unstable = learn_mask(answer({}), answer({}, 404))
    assert (unstable.unstable, unstable.words()) == (
        True,
        "the service answers with another status at every call",
    )
    assert same(answer({}), answer({"x": 1}, 404), unstable)
    assert not same(answer({}), answer({}, 500), unstable)
    whole = learn_mask(text("a"), text("a\nb"))
    assert whole.whole
    assert same(text("a"), text("x\ny\nz"), whole)


DOCUMENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('ab"', max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(DOCUMENT, DOCUMENT)
def test_what_two_replays_differ_in_never_fails_a_third_equal_one(one: Any, two: Any) -> None:
    mask = learn_mask(answer(one), answer(two))
    assert compare(answer(one), answer(two), mask) == []
    assert compare(answer(one), answer(one), NO_MASK) == []
    assert bool(compare(answer(one), answer(two))) == (mask != NO_MASK)


@pytest.mark.parametrize(
    ("one", "other", "blind"),
    [
        (answer([1, 2]), answer([1]), True),
        (answer(1), answer(2), True),
        (answer(1), answer("1"), True),
        (text("a\nb"), text("a"), True),
        (answer({"at": 1, "ok": 2}), answer({"at": 3, "ok": 2}), False),
        (answer({"items": [1]}), answer({"items": []}), False),
    ],
)
def test_a_body_of_which_nothing_is_compared_is_told_from_noise(
    one: Answer, other: Answer, blind: bool
) -> None:
    mask = learn_mask(one, other)
    assert mask.blind is blind
    assert (mask.words() == "the whole body differs at every call") is blind
