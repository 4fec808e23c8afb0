"""A rule that a manager wrote holds or says what breaks it; one that makes no sense is refused when it is written."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from monitoring.invariants import check_invariant
from monitoring.values import Answer

ASK = {"path": "/api/products"}


def broken(rule: dict[str, Any], document: Any) -> str:
    return check_invariant({"request": ASK, **rule}).broken_by_answer(
        Answer(status=200, body=json.dumps(document).encode())
    )


SHOP = {"items": [{"stock": 3, "id": 1}, {"stock": 0, "id": 2}], "status": "ok", "odd name": 1}
ORDER = {"lines": [{"total": 0.1}, {"total": 0.2}], "total": 0.3, "count": 2}


@pytest.mark.parametrize(
    ("rule", "document"),
    [
        ({"each": "$.items[*].stock", "is": ">= 0"}, SHOP),
        ({"each": "$.items[*].stock", "is": "number"}, SHOP),
        ({"each": "$.items[*].stock", "is": "in [0, 3.0]"}, SHOP),
        ({"each": "$.items[*].missing", "is": ">= 0"}, {"items": []}),
        ({"each": '$["odd name"]', "is": "== 1"}, SHOP),
        ({"each": "$.items[0].*", "is": "> 0"}, SHOP),
        ({"path": "$.status", "equals": "ok"}, SHOP),
        ({"path": "$.items[1].stock", "equals": 0}, SHOP),
        ({"path": "$.a", "equals": "$.b"}, {"a": [1.0], "b": [1]}),
        ({"sum": "$.lines[*].total", "equals": "$.total"}, ORDER),
        ({"sum": "$.lines[*].total", "equals": 0.31, "within": 0.01}, ORDER),
        ({"in": "$[*]", "sum": "$.lines[*].total", "equals": "$.total"}, [ORDER, ORDER]),
        ({"each": "$", "is": "not null"}, 0),
    ],
)
def test_a_rule_that_holds_says_nothing(rule: dict[str, Any], document: Any) -> None:
    assert broken(rule, document) == ""


@pytest.mark.parametrize(
    ("rule", "document", "words"),
    [
        ({"each": "$.items[*].stock", "is": ">= 0"}, {"items": [{"stock": 1}, {"stock": -1}]}, "$.items[1].stock is -1"),
        ({"each": "$.items[*].stock", "is": ">= 0"}, {"items": [{"stock": "1"}]}, '$.items[0].stock is "1"'),
        ({"each": "$.a", "is": ">= 0"}, {"a": True}, "$.a is true"),
        ({"each": "$.items[*].stock", "is": ">= 0"}, {"items": [{}]}, "$.items[0] has no 'stock'"),
        ({"each": "$.items[*]", "is": "present"}, {"items": 3}, "$.items is not a list or an object"),
        ({"path": "$.status", "equals": "ok"}, {"status": "failing"}, '$.status is "failing", not "ok"'),
        ({"path": "$.a", "equals": 1}, {"a": True}, "$.a is true, not 1"),
        ({"sum": "$.lines[*].total", "equals": "$.total"}, {**ORDER, "total": 0.31}, "the sum is 0.3, not 0.31"),
        ({"sum": "$.lines[*].total", "equals": "$.total"}, {"lines": [{"total": None}], "total": 0}, "null, not a number"),
        ({"in": "$[*]", "path": "$.a", "equals": 1}, [{"a": 1}, {"a": 2}], "$.a is 2, not 1"),
        ({"each": "$.a", "is": "<= 5"}, {"a": float("nan")}, "$.a is"),
        ({"sum": "$.a[*]", "equals": "$.b"}, {"a": [1], "b": "1"}, 'the sum is 1, not "1"'),
    ],
)  # fmt: skip
def test_a_rule_that_is_broken_says_where(rule: dict[str, Any], document: Any, words: str) -> None:
    assert words in broken({"name": "rule one", **rule}, document)
    assert broken({"name": "rule one", **rule}, document).startswith("rule one: ")


def test_an_answer_that_is_no_json_or_cannot_be_calculated_breaks_the_rule() -> None:
    rule = check_invariant({"request": ASK, "sum": "$.a[*]", "equals": 1})
    assert "is not JSON" in rule.broken_by_answer(Answer(status=200, body=b"<html>"))
    assert "is not JSON" in rule.broken_by_answer(Answer(status=200, body=b"[" * 200_000))
    huge = b'{"a": [1e999999, 9e999999, 9e999999]}'
    assert "too large" in rule.broken_by_answer(Answer(status=200, body=huge))


def test_the_request_and_a_telling_name_are_kept() -> None:
    rule = check_invariant(
        {"request": {"method": "POST", "path": "/x?y=1"}, "each": "$.a", "is": "> 0"}
    )
    assert (rule.request.method, rule.request.path) == ("POST", "/x?y=1")
    assert rule.name == "each $.a > 0"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("text", "is an object"),
        ({}, "needs one of"),
        ({"request": ASK, "each": "$.a"}, "also needs 'is'"),
        ({"request": ASK, "path": "$.a", "equals": 1, "within": 2}, "does not know 'within'"),
        ({"request": ASK, "each": "$.a", "is": "__import__('os')"}, "is a condition such as"),
        ({"request": ASK, "each": "$.a", "is": ">= zero"}, "not a JSON value"),
        ({"request": ASK, "each": "$.a", "is": '>= "a"'}, "compares with a number"),
        ({"request": ASK, "each": "$.a", "is": "in 3"}, "needs a list"),
        ({"request": ASK, "each": "$.a", "is": 3}, "is a condition such as"),
        ({"request": ASK, "each": "items", "is": "number"}, "is a path such as"),
        ({"request": ASK, "each": "$.a..b", "is": "number"}, "not understood from '..b'"),
        ({"request": ASK, "each": "$.a[?(@.x)]", "is": "number"}, "not understood from"),
        ({"request": ASK, "each": "$" + ".a" * 200, "is": "number"}, "at most 300"),
        ({"request": ASK, "sum": "$.a", "equals": 1, "within": -1}, "from 0 up"),
        ({"each": "$.a", "is": "number"}, '"request" is an object'),
        ({"request": {"path": "products"}, "each": "$.a", "is": "number"}, 'starts with "/"'),
        ({"request": {"path": "/a", "method": "DELETE"}, "each": "$.a", "is": "number"}, "GET, HEAD or POST"),
        ({"request": ASK, "name": "", "each": "$.a", "is": "number"}, "name of an invariant"),
    ],
)  # fmt: skip
def test_a_rule_that_makes_no_sense_is_refused_with_a_reason(raw: object, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        check_invariant(raw)
