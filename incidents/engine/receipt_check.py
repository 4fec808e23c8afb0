"""Checks a stored receipt against itself: what it claims must follow from what it says was seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_DIGEST = re.compile(r"[0-9a-f]{64}$")
_FINE = {"ok", "not judged"}
_SEEN = ("requests", "start_up", "start_up_without", "usage", "invariants", "traits", "lowers")
_LEFT_OUT = {"fails", "cannot be tried"}


def check(receipt: Mapping[str, Any]) -> list[str]:
    """Return every problem of a receipt in words; an empty list means that its claim follows from its facts.

    Never raises: a receipt of any shape may be given, also one that somebody tampered with.
    """
    try:
        return [problem for rule in _RULES for problem in rule(receipt)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return [f"it has not the shape of a receipt: {type(error).__name__} {error}"[:200]]


def _names_its_fix(receipt: Mapping[str, Any]) -> Iterator[str]:
    for name in ("fix", "base"):
        if not _DIGEST.match(str(receipt.get(name, ""))):
            yield f"{name} is no digest"


def _is_whole(receipt: Mapping[str, Any]) -> Iterator[str]:
    if receipt["passed"] is None:
        return
    for name in _SEEN:
        if name not in receipt:
            yield f"{name} is missing"


def _says_why(receipt: Mapping[str, Any]) -> Iterator[str]:
    if receipt["passed"] is not True and not receipt["reason"]:
        yield "it did not pass and gives no reason"
    if receipt["passed"] is True and receipt["reason"]:
        yield f"it passed and still gives a reason: {receipt['reason']}"


def _follows_from_requests(receipt: Mapping[str, Any]) -> Iterator[str]:
    if receipt["passed"] is None:
        return
    lines: Sequence[Mapping[str, Any]] = receipt["requests"]
    wrong = [line for line in lines if line["verdict"] not in _FINE]
    proved = any(line["kind"] == "failing" and line["verdict"] == "ok" for line in lines)
    broken = [rule for rule in receipt["invariants"] if rule["verdict"] == "broken"]
    grows = (receipt.get("growth") or {}).get("verdict") == "still grows"
    started = bool(receipt["start_up"]["answered"])
    if started is not bool(receipt["applied"]):
        yield "applied does not say what the start says"
    holds = started and proved and not wrong and not broken and not grows
    if receipt["passed"] is True and not holds:
        yield f"it claims to have passed, but {_why_not(started, proved, wrong, broken)}"
    if receipt["passed"] is False and holds:
        yield "it claims to have failed, but everything that it saw is right"


def _why_not(
    started: bool,  # noqa: FBT001 - two facts of one receipt, next to each other
    proved: bool,  # noqa: FBT001
    wrong: Sequence[Mapping[str, Any]],
    broken: Sequence[Mapping[str, Any]],
) -> str:
    if not started:
        return "the copy with the fix did not answer"
    if wrong:
        return f"{wrong[0]['method']} {wrong[0]['path']} {wrong[0]['verdict']}"
    if broken:
        return f"a rule is broken: {broken[0]['name']}"
    return "no failing request was seen to pass" if not proved else "nothing says why"


def _lines_follow(receipt: Mapping[str, Any]) -> Iterator[str]:
    for line in receipt.get("requests", []):
        name, after = f"{line['method']} {line['path']}", line["after"]
        if line["verdict"] == "ok" and (after["failure"] or (after["status"] or 0) >= 500):
            yield f"{name} is called ok, but was answered {after['failure'] or after['status']}"
        if line["verdict"] in {"differs", "still fails"} and not line["differences"]:
            yield f"{name} is {line['verdict']}, without saying how"


def _traits_lower(receipt: Mapping[str, Any]) -> Iterator[str]:
    lowering = [trait["words"] for trait in receipt.get("traits", []) if trait["lowers"]]
    if lowering != list(receipt.get("lowers", [])):
        yield "what lowers autonomy is not what its traits say"


def _checks_not_run_lower(receipt: Mapping[str, Any]) -> Iterator[str]:
    lowering = " ".join(map(str, receipt.get("lowers", [])))
    for rule in receipt.get("invariants", []):
        if rule["verdict"] == "not run" and repr(rule["name"]) not in lowering:
            yield f"the check {rule['name']} was not run, and nothing is lowered by that"


def _minimal_is_proved(receipt: Mapping[str, Any]) -> Iterator[str]:
    minimal = receipt.get("minimal")
    if not minimal or not minimal["proved"]:
        return
    shown = {row["change"]: row["without_it"] for row in minimal["left_out"]}
    for change in minimal["changes"]:
        if shown.get(change) not in _LEFT_OUT:
            yield f"it claims to be minimal, but {change} was not left out and seen to fail"
    if receipt["reproduced"] is not True:
        yield "it claims to be minimal, but the failure was not seen without the fix"


_RULES: tuple[Callable[[Mapping[str, Any]], Iterator[str]], ...] = (
    _names_its_fix,
    _is_whole,
    _says_why,
    _follows_from_requests,
    _lines_follow,
    _traits_lower,
    _checks_not_run_lower,
    _minimal_is_proved,
)
