"""The receipt: what proves a fix, what refuses one, what is recognised, and that a program can check it."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from incidents.engine import receipts
from incidents.engine.traits import Setup
from incidents.values import BoxUsage, Exchange, StartUp
from monitoring.check_commands import CheckCommand, CheckRun, check_command
from monitoring.invariants import Invariant, check_invariant
from monitoring.values import Answer, HttpRequest

JSON = {"content-type": "application/json"}
USED = BoxUsage(data_digest="d" * 64)
UP = StartUp(answered=True, seconds=0.1)


def says(value: Any, status: int = 200, ms: float = 3.0) -> Answer:
    return Answer(status=status, headers=JSON, body=json.dumps(value).encode(), elapsed_ms=ms)


BROKEN = says({"error": {"type": "KeyError", "message": "price"}}, 500)
GOODS = {"items": [{"id": "a", "price": 5, "stock": 3}]}
CONFIG = {"currency": "EUR"}


@dataclass(frozen=True, kw_only=True)
class Ran:
    answers: tuple[Answer, ...]
    startup: StartUp = UP
    usage: BoxUsage = USED
    isolation: str = "fake"
    checks: tuple[CheckRun, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Script:
    exchanges: tuple[Exchange, ...] = (
        Exchange(request=HttpRequest(path="/items"), good=False, source="observed"),
        Exchange(request=HttpRequest(path="/config")),
    )
    invariants: tuple[Invariant, ...] = ()
    commands: tuple[CheckCommand, ...] = ()
    slow_ms: float = 1500.0
    setup: Setup = field(default_factory=Setup)
    grows: str = ""


WITHOUT = Ran(answers=(BROKEN, says(CONFIG)))
GOOD = Ran(answers=(says(GOODS), says(CONFIG)))
STOCK = check_invariant(
    {"request": {"path": "/items"}, "each": "$.items[*].stock", "is": ">= 0", "name": "stock"}
)


def judged(
    fixed: Ran = GOOD, *, without: Ran = WITHOUT, good: tuple[Ran, ...] = (GOOD,), **script: Any
) -> receipts.Receipt:
    return receipts.judge(script=Script(**script), fixed=fixed, without=without, references=good)


def with_(items: Any = GOODS, config: Any = CONFIG, ms: float = 3.0) -> Ran:
    return Ran(answers=(says(items, ms=ms), says(config)))


def stored(receipt: receipts.Receipt) -> dict[str, Any]:
    return {"fix": "a" * 64, "base": "b" * 64, **receipt.as_json()}


def test_a_fix_that_answers_as_last_known_good_passes_and_its_receipt_checks() -> None:
    receipt = judged()
    assert (receipt.passed, receipt.reproduced, receipt.reason) == (True, True, "")
    assert receipts.check(stored(receipt)) == []


def test_a_fix_that_turns_a_500_into_a_wrong_200_is_refused() -> None:
    receipt = judged(with_({"items": []}))
    assert receipt.passed is False
    assert "differs" in receipt.reason
    assert receipts.check(stored(receipt)) == []


def test_a_wrong_answer_with_status_200_counts_as_reproduced_and_has_to_become_right() -> None:
    wrong = with_({"items": []})
    assert judged(without=wrong).reproduced is True
    assert judged(wrong, without=wrong).reproduced is True
    assert judged(wrong, without=wrong).passed is False
    assert judged(without=GOOD).reproduced is False


def test_without_a_last_known_good_a_rule_of_the_service_refuses_a_wrong_200() -> None:
    wrong = {"items": [{"id": "a", "price": 5, "stock": -1}]}
    receipt = judged(with_(wrong), good=(), invariants=(STOCK,))
    assert receipt.passed is False
    assert "stock: $.items[0].stock is -1" in receipt.reason
    assert receipt.body["invariants"][0]["verdict"] == "broken"
    assert receipts.check(stored(receipt)) == []


HOLDS, WRONG = (CheckRun(ran=True, exit_code=code, output=str(code)) for code in (0, 1))
CHECKS = check_command({"name": "sums", "command": ["./sums.sh"]})


def checked(after: CheckRun, *, before: CheckRun = WRONG, right: CheckRun = HOLDS) -> Any:
    runs = [replace(ran, checks=(run,)) for ran, run in ((GOOD, after), (WITHOUT, before))]
    right_run = replace(GOOD, checks=(right,))
    return judged(runs[0], without=runs[1], good=(right_run,), commands=(CHECKS,))


def test_a_check_command_that_fails_refuses_a_fix() -> None:
    assert checked(HOLDS).passed is True
    for before in (HOLDS, WRONG):
        receipt = checked(WRONG, before=before)
        assert receipt.passed is False
        assert receipt.reason == "a rule of the service is broken: sums: exit code 1: 1"
        assert receipts.check(stored(receipt)) == []
    endless = CheckRun(ran=True, exit_code=None)
    assert "no end within 5 s" in checked(endless).reason


def test_a_check_that_fails_in_last_known_good_too_blames_the_data() -> None:
    receipt = checked(WRONG, right=WRONG)
    assert receipt.passed is True
    assert receipt.body["invariants"][0]["verdict"] == "broken by the data"


def test_a_check_that_was_not_run_does_not_pass_in_silence() -> None:
    receipt = checked(CheckRun(ran=False, why="not at Blaxel"))
    assert receipt.passed is True
    assert receipt.body["invariants"][0]["verdict"] == "not run"
    assert receipt.body["lowers"] == ["the check 'sums' could not be run: not at Blaxel"]
    assert receipts.check(stored(receipt)) == []
    silent = stored(receipt) | {"lowers": [], "traits": []}
    assert receipts.check(silent) == ["the check sums was not run, and nothing is lowered by that"]


def test_a_check_that_failed_without_the_fix_only_is_a_reproduced_failure() -> None:
    fine = replace(WITHOUT, answers=GOOD.answers)
    right = replace(GOOD, checks=(HOLDS,))
    without = replace(fine, checks=(WRONG,))
    receipt = judged(right, without=without, good=(right,), commands=(CHECKS,))
    assert (receipt.passed, receipt.reproduced) == (True, True)


def test_a_rule_that_the_data_break_in_last_known_good_too_does_not_refuse_a_fix() -> None:
    wrong = {"items": [{"id": "a", "price": 5, "stock": -1}]}
    rule = replace(STOCK, request=HttpRequest(path="/config"), name="on config")
    both = Ran(answers=(says(GOODS), says(wrong)))
    receipt = judged(
        both, without=Ran(answers=(BROKEN, says(wrong))), good=(both,), invariants=(rule,)
    )
    assert receipt.passed is True
    assert receipt.body["invariants"][0]["verdict"] == "broken by the data"


def test_a_good_answer_that_the_fix_leaves_as_it_was_is_kept_although_last_good_answers_otherwise() -> (
    None
):
    feature = {"currency": "EUR", "gift_cards": True}
    receipt = judged(with_(config=feature), without=Ran(answers=(BROKEN, says(feature))))
    assert receipt.passed is True
    assert "unchanged by the fix" in receipt.body["requests"][1]["note"]


def test_a_good_answer_that_the_fix_changes_is_refused() -> None:
    receipt = judged(with_(config={"currency": "USD"}))
    assert receipt.passed is False
    assert "$.currency" in receipt.reason


def test_noise_between_two_runs_of_last_known_good_is_masked_and_named() -> None:
    runs = tuple(with_(config={"currency": "EUR", "token": f"t{n}"}) for n in (1, 2))
    receipt = judged(with_(config={"currency": "EUR", "token": "t3"}), good=runs)
    assert receipt.passed is True
    assert receipt.body["requests"][1]["masked"] == "$.token"
    without = Ran(answers=(BROKEN, says({"currency": "EUR", "token": "t0"})))
    gone = judged(with_(config={"currency": "EUR"}), without=without, good=runs)
    assert gone.passed is False  # a masked field still has to exist


def test_slow_is_slow_against_the_limit_and_against_last_known_good() -> None:
    assert judged(with_(ms=1600)).passed is False
    slow_here = with_(ms=900)
    assert judged(with_(ms=1600), good=(slow_here,)).passed is True
    assert judged(with_(ms=400), slow_ms=300.0).passed is False


def test_the_latency_stands_beside_that_of_last_known_good() -> None:
    latency = judged(with_(ms=9.0)).body["latency"]
    assert (latency["slowest_ms"], latency["slowest"], latency["baseline_ms"]) == (
        9.0,
        "GET /items",
        3.0,
    )


def refused_to_start(log: str) -> Ran:
    nothing = tuple(Answer(failure="not_started") for _ in range(2))
    return Ran(
        answers=nothing, startup=StartUp(answered=False, seconds=0.2, exit_code=1, log_tail=log)
    )


@pytest.mark.parametrize(
    ("log", "setup", "trait"),
    [
        ("OSError: [Errno 98] Address already in use", Setup(), "fixed_port"),
        ("listening", Setup(takes_port=False), "fixed_port"),
        ("sqlite3.OperationalError: database is locked", Setup(), "locks_data"),
        ("another instance is already running", Setup(), "starts_once"),
        ("ModuleNotFoundError: no module", Setup(), ""),
    ],
)
def test_a_service_of_which_no_copy_starts_is_recognised_and_no_trial_is_claimed(
    log: str, setup: Setup, trait: str
) -> None:
    down = refused_to_start(log)
    receipt = judged(down, without=down, good=(down,), setup=setup)
    assert receipt.passed is None
    assert "no copy of this service" in receipt.reason
    assert [one["name"] for one in receipt.body["traits"]] == ([trait] if trait else [])
    assert bool(receipt.body["lowers"]) is bool(trait)
    assert receipts.check(stored(receipt)) == []


def test_a_fix_that_does_not_start_although_last_known_good_does_has_failed() -> None:
    receipt = judged(refused_to_start("SyntaxError: invalid syntax"))
    assert receipt.passed is False
    assert "SyntaxError" in receipt.reason


def test_a_service_that_answers_differently_at_every_call_is_recognised() -> None:
    texts = [
        replace(says(""), headers={"content-type": "text/plain"}, body=b"x\n" * n)
        for n in (1, 2, 3)
    ]
    runs = [Ran(answers=(says(GOODS), text)) for text in texts]
    receipt = judged(runs[2], good=(runs[0], runs[1]))
    assert receipt.passed is True
    assert [one["name"] for one in receipt.body["traits"]] == ["differs_always"]
    assert receipt.body["lowers"]


def test_missing_data_lower_autonomy_only_where_requests_write() -> None:
    bare = replace(GOOD, usage=BoxUsage())
    assert judged(bare).body["lowers"] == []
    assert judged(bare, setup=Setup(declares_data=False, writes=True)).body["lowers"]


def test_limits_and_files_outside_of_the_data_are_named() -> None:
    used = BoxUsage(
        peak_memory_bytes=990, written_outside_data=("cache.bin",), data_digest="d" * 64
    )
    found = judged(replace(GOOD, usage=used), setup=Setup(memory_bytes=1000)).body["traits"]
    assert [(one["name"], one["lowers"]) for one in found] == [
        ("limit", True),
        ("writes_outside", False),
    ]


def test_data_too_large_for_a_copy_are_named() -> None:
    receipt = receipts.impossible(
        "no trial copy: data too large for a trial: 1000 MB, at most 512 MB"
    )
    assert receipt.passed is None
    assert [one["name"] for one in receipt.body["traits"]] == ["huge_data"]
    assert receipts.check(stored(receipt)) == []


def _set(path: tuple[Any, ...], value: Any) -> Any:
    def tamper(body: dict[str, Any]) -> None:
        part: Any = body
        for name in path[:-1]:
            part = part[name]
        part[path[-1]] = value

    return tamper


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        (_set(("requests", 0, "verdict"), "still fails"), "claims to have passed"),
        (_set(("requests", 0, "kind"), "good"), "no failing request was seen to pass"),
        (_set(("requests", 1, "after", "status"), 500), "is called ok, but was answered 500"),
        (_set(("start_up", "answered"), False), "applied does not say"),
        (_set(("passed",), False), "claims to have failed"),
        (_set(("fix",), "x"), "fix is no digest"),
        (_set(("invariants",), [{"name": "n", "verdict": "broken"}]), "a rule is broken"),
        (_set(("lowers",), ["it lies"]), "lowers autonomy"),
        (_set(("reason",), "well"), "still gives a reason"),
        (_set(("requests",), None), "not the shape"),
        (_set(("minimal",), {"proved": True, "changes": ["a"], "left_out": []}), "not left out"),
        (
            _set(("minimal",), {"proved": True, "changes": ["a"], "left_out": [{"change": "a", "without_it": "heals"}]}),
            "not left out",
        ),
    ],
)  # fmt: skip
def test_a_receipt_whose_claim_does_not_follow_from_its_facts_is_found(
    tamper: Any, problem: str
) -> None:
    body = copy.deepcopy(stored(judged()))
    tamper(body)
    assert any(problem in found for found in receipts.check(body)), receipts.check(body)


def test_a_leak_counts_as_healed_when_the_copy_with_the_fix_uses_what_last_known_good_uses() -> (
    None
):
    right, leaky = (
        Ran(answers=GOOD.answers, usage=BoxUsage(peak_memory_bytes=size))
        for size in (30_000_000, 45_000_000)
    )
    healed = judged(right, without=leaky, good=(right,), grows="memory grows")
    assert (healed.passed, healed.reproduced) == (True, True)
    assert healed.body["growth"]["verdict"] == "ok"
    same = judged(leaky, without=leaky, good=(right,), grows="memory grows")
    assert (same.passed, same.reproduced) == (False, True)
    assert "came to 45000000" in same.reason


def test_a_leak_that_no_copy_shows_speaks_neither_for_nor_against_a_restart() -> None:
    quiet = Ran(answers=GOOD.answers, usage=BoxUsage(open_files=9))
    receipt = judged(quiet, without=quiet, good=(quiet,), grows="open files grow")
    assert (receipt.passed, receipt.reproduced) == (True, False)
    unknown = judged(quiet, without=quiet, good=(), grows="open files grow")
    assert (unknown.passed, unknown.reproduced) == (True, None)
