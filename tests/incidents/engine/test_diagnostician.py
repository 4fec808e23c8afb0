"""What the corpus of processes cannot show: honesty about the unknown, plain words, suspects and citations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from incidents.engine.diagnostician import BuiltInDiagnostician
from incidents.engine.fix_writer import BuiltInFixWriter
from incidents.values import (
    Category,
    EvidenceItem,
    EvidencePack,
    Failure,
    FixDraft,
    Restart,
    Wishes,
    actions_to_json,
    digest_of,
)
from monitoring.values import ProcessState

GOOD = {
    "app.py": b"import db\n\ndef total(order):\n    net = db.net(order)\n    return net * 119 // 100\n",
    "db.py": b"def net(order):\n    return sum(order)\n",
    "README.md": b"Shop\n",
    "config.json": b'{"host": "db1", "retries": 3, "password": "hunter2"}\n',
}
RUNNING = ProcessState(phase="running", pid=7, state="S")


def pack(failure: Failure, current: dict[str, bytes] | None = None, **more: Any) -> EvidencePack:
    kinds = ("answer", "process", "log", "changes", "stack", "environment")
    base = EvidencePack(
        service="Orders",
        directory="/srv/orders",
        is_python=True,
        failure=failure,
        items=tuple(
            EvidenceItem(id=f"E{n}", kind=k, title=k, body="") for n, k in enumerate(kinds)
        ),
        process=RUNNING,
        log_tail="",
        stacks="",
        current={**GOOD, **(current or {})},
        last_good=GOOD,
        environment={},
        last_good_environment={},
        editable_globs=("*.py", "*.json", "*.md"),
    )
    return replace(base, **more)


def diagnose(given: EvidencePack) -> Any:
    return BuiltInDiagnostician().diagnose(given)


def fixes(given: EvidencePack, wishes: Wishes | None = None) -> list[FixDraft]:
    return BuiltInFixWriter().propose(given, diagnose(given), wishes or Wishes())


ERROR = Failure(symptom="http_error", status=500, path="/total", error_type="HTTP 500")
WRONG = Failure(symptom="wrong_answer", detail="sum is 119, not 120", path="/total")


def test_what_nothing_explains_stays_unknown_with_what_was_ruled_out_and_no_fix() -> None:
    given = pack(ERROR)
    found = diagnose(given)
    assert (found.category, found.file, found.line) == (Category.UNKNOWN, "", None)
    assert found.certainty <= 0.1
    assert "no uncaught exception was seen in the answer or the log" in found.ruled_out
    assert found.ruled_out[-1].startswith("no file and no environment variable changed")
    assert "An expert has to look." in found.plain
    assert fixes(given) == []


def test_what_cannot_be_told_is_not_ruled_out() -> None:
    blind = pack(ERROR, process=ProcessState(), last_good=None, last_good_environment=None)
    told = " ".join(diagnose(blind).ruled_out)
    assert "stopped by a signal" not in told
    assert "thread" not in told
    assert "environment variable" not in told


def test_a_suspect_is_called_a_suspicion() -> None:
    edit = {"app.py": GOOD["app.py"].replace(b"119", b"120"), "README.md": b"Our shop\n"}
    found = diagnose(pack(WRONG, edit))
    assert (found.category, found.file, found.line) == (Category.WRONG_ANSWER, "app.py", 5)
    assert found.certainty < 0.5
    assert "This is a suspicion, not a finding." in found.plain
    assert found.cited == ("E0", "E2", "E3")


def test_a_wrong_answer_without_any_change_names_no_file_and_offers_nothing() -> None:
    found = diagnose(pack(WRONG))
    assert (found.category, found.file) == (Category.WRONG_ANSWER, "")
    assert "Nothing changed since last known good" in found.root_cause
    assert fixes(pack(WRONG)) == []


def test_measured_numbers_are_told_and_none_is_invented() -> None:
    measured = {"since": "2026-01-02T03:04:05+00:00", "probes": 12, "failed_probes": 3}
    told = diagnose(pack(ERROR, measured=measured)).plain
    assert "since 03:04:05 (UTC)" in told
    assert "3 of the last 12 checks failed" in told
    silent = diagnose(pack(ERROR)).plain
    assert "since" not in silent
    assert "Measured" not in silent


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("OSError: [Errno 28] No space left on device", Category.RESOURCE),
        ("sqlite3.OperationalError: database or disk is full", Category.RESOURCE),
        ("OSError: [Errno 24] Too many open files", Category.RESOURCE),
        ("RuntimeError: can't start new thread", Category.RESOURCE),
        (
            "psycopg.OperationalError: connection to server failed: timeout expired",
            Category.DEPENDENCY,
        ),
        ("socket.gaierror: [Errno -2] Name or service not known", Category.DEPENDENCY),
        ("sqlite3.IntegrityError: UNIQUE constraint failed: orders.id", Category.DATA),
        ("ZeroDivisionError: division by zero", Category.CODE),
    ],
)
def test_what_an_exception_means_depends_on_its_kind(text: str, category: Category) -> None:
    trace = (
        'Traceback (most recent call last):\n  File "/srv/orders/db.py", line 2, in net\n'
        f"    return sum(order)\n{text}\n"
    )
    found = diagnose(pack(replace(ERROR, traceback=trace)))
    assert found.category is category
    if category is Category.DEPENDENCY:
        assert found.file == ""
    if category is Category.CODE:
        assert (found.file, found.line, found.certainty) == ("db.py", 2, 0.6)
        assert "Nothing changed since last known good" in found.root_cause


def test_an_old_traceback_in_the_log_explains_neither_a_hang_nor_a_kill() -> None:
    log = 'Traceback (most recent call last):\n  File "/srv/orders/db.py", line 2, in net\n    x\nKeyError: 1\n'
    killed = pack(
        Failure(symptom="no_process", error_type="SIGKILL"),
        process=ProcessState(phase="exited", signal=9),
        log_tail=log,
    )
    assert diagnose(killed).category is Category.CRASH
    assert "cannot be told from here" in diagnose(killed).root_cause
    assert "KeyError" not in diagnose(pack(Failure(symptom="timeout"), log_tail=log)).root_cause


def test_a_changed_value_is_named_but_a_secret_is_not_shown() -> None:
    host = {"config.json": GOOD["config.json"].replace(b"db1", b"db9")}
    given = pack(replace(ERROR, detail="cannot reach db9"), host)
    assert 'host changed from "db1" to "db9"' in diagnose(given).root_cause
    secret = {"config.json": GOOD["config.json"].replace(b"hunter2", b"hunter3")}
    told = diagnose(pack(ERROR, secret))
    assert "password changed" in told.root_cause
    assert "hunter" not in told.root_cause + told.plain
    assert all("hunter" not in draft.explanation for draft in fixes(pack(ERROR, secret)))


def test_one_value_on_a_shared_line_is_put_back_by_an_edit_that_keeps_the_others() -> None:
    edited = {"config.json": b'{"host": "db9", "retries": 5, "password": "hunter2"}\n'}
    first = fixes(pack(replace(ERROR, detail="cannot reach db9"), edited))[0]
    assert actions_to_json(first.actions) == [
        {"kind": "edit", "path": "config.json", "old": '"host": "db9"', "new": '"host": "db1"'}
    ]


def test_a_paused_process_is_only_restarted_whatever_else_changed() -> None:
    given = pack(
        Failure(symptom="timeout"),
        {"app.py": b"import time; time.sleep(1)\n"},
        process=replace(RUNNING, state="T"),
    )
    assert diagnose(given).file == ""
    assert "stopped, not slow" in diagnose(given).root_cause
    assert [draft.actions for draft in fixes(given)] == [(Restart(),)]


def test_a_process_killed_for_the_second_time_makes_the_changes_suspects() -> None:
    killed = pack(
        Failure(symptom="no_process", error_type="SIGKILL"),
        {"db.py": b"def net(order):\n    return sum(order * 10**9)\n"},
        process=ProcessState(phase="exited", signal=9),
    )
    assert [draft.actions for draft in fixes(killed)] == [(Restart(),)]
    again = replace(killed, similar=({"id": 1},))
    assert len(fixes(again)) > 1


def test_refused_fixes_and_files_that_may_not_be_written_are_left_out() -> None:
    edit = {"app.py": GOOD["app.py"].replace(b"119", b"120")}
    (only,) = fixes(pack(WRONG, edit))
    refused = Wishes(refused_digests=frozenset({digest_of(actions_to_json(only.actions))}))
    assert fixes(pack(WRONG, edit), refused) == []
    assert fixes(pack(WRONG, edit, editable_globs=("*.json",))) == []


def test_candidates_differ_in_effect_and_the_smallest_comes_first() -> None:
    edit = {
        "app.py": b"import db\n\ndef total(order):\n    net = db.nett(order)\n    return net * 120 // 100\n",
        "db.py": b"def net(order):\n    return sum(order) + 1\n",
    }
    trace = (
        'Traceback (most recent call last):\n  File "/srv/orders/app.py", line 4, in total\n'
        "    net = db.nett(order)\nAttributeError: module 'db' has no attribute 'nett'\n"
    )
    drafts = fixes(pack(replace(ERROR, traceback=trace), edit))
    assert "line 4 of app.py" in drafts[0].explanation
    assert "the 2 changes that may explain it (app.py)" in drafts[-2].explanation
    assert "all 3 changes" in drafts[-1].explanation
    assert len({digest_of(actions_to_json(draft.actions)) for draft in drafts}) == len(drafts)


def test_an_older_error_in_the_log_does_not_speak_for_a_failure_that_speaks_for_itself() -> None:
    trace = 'Traceback (most recent call last):\n  File "/srv/orders/db.py", line 2, in net\n    x\nNameError: x\n'
    given = pack(
        replace(ERROR, traceback=trace),
        log_tail="MemoryError\n[Errno 28] No space left on device\n",
    )
    assert diagnose(given).category is Category.CODE


def test_being_the_only_change_is_no_guilt_when_the_failure_explains_itself() -> None:
    edited = {"config.json": GOOD["config.json"].replace(b"3", b"4")}
    killed = pack(
        Failure(symptom="no_process", error_type="SIGKILL"),
        edited,
        process=ProcessState(phase="exited", signal=9),
        environment={"NEW": "1"},
    )
    assert diagnose(killed).category is Category.CRASH
    refused = (
        'Traceback (most recent call last):\n  File "/srv/orders/db.py", line 2, in net\n    link.connect(place)\n'
        "ConnectionRefusedError: [Errno 111] Connection refused\n"
    )
    assert diagnose(pack(replace(ERROR, traceback=refused), edited)).category is Category.DEPENDENCY


def test_a_minified_file_and_deep_json_are_judged_in_bounded_time() -> None:
    deep = b"[" * 900 + b"1" + b"]" * 900
    good = {**GOOD, "data.json": deep, "app.min.js": b"x"}
    current = {"data.json": deep.replace(b"1", b"2"), "app.min.js": b"for " * 300_000}
    given = pack(Failure(symptom="timeout"), current, last_good=good)
    assert diagnose(given).category in {Category.SLOW, Category.CONFIG, Category.UNKNOWN}


def test_files_out_of_reach_are_not_taken_for_deleted_ones() -> None:
    gone = EvidenceItem(id="E9", kind="unreadable", title="", body="files: no such directory")
    exited = ProcessState(phase="exited", exit_code=2)
    given = pack(Failure(symptom="no_process", error_type="exit 2"), process=exited)
    given = replace(given, current={}, items=(*given.items, gone))
    found = diagnose(given)
    assert found.category == Category.RESOURCE
    assert "no such directory" in found.root_cause
    assert "E9" in found.cited
    assert found.file == ""
    assert fixes(given) == []


def test_a_loop_over_several_lines_is_called_busy_although_no_sample_says_so() -> None:
    frames = "Sample {n}\nThread 7 (idle): T\n    total (/srv/orders/app.py:{line})\n"
    stacks = "".join(frames.format(n=n, line=line) for n, line in ((1, 4), (2, 5), (3, 4)))
    found = diagnose(pack(Failure(symptom="timeout", path="/total"), stacks=stacks))
    assert (found.category, found.file) == (Category.HANG, "app.py")
    assert "busy" in found.root_cause
    assert "seen 3 times in a row" in found.root_cause


CALLS = {
    "app.py": b"import db\n\ndef total(order):\n    net = db.net(order)\n    return net * 119 // 100\n",
    "db.py": b"def net(order):\n    return kept(order)\n\n\ndef kept(order):\n    sum(order)\n\n\ndef other():\n    pass\n",
}
SHOWS = 'Traceback (most recent call last):\n  File "/srv/orders/app.py", line 5, in total\n    return net * 119 // 100\nTypeError: unsupported operand\n'


def test_a_changed_function_that_the_failing_one_calls_is_blamed_with_both_places() -> None:
    good = {**CALLS, "db.py": CALLS["db.py"].replace(b"    sum", b"    return sum")}
    failure = Failure(symptom="http_error", path="/total", status=500, traceback=SHOWS)
    found = diagnose(pack(failure, CALLS, last_good={**GOOD, **good}))
    assert (found.file, found.line) == ("db.py", 6)
    assert "line 5 of app.py" in found.root_cause


def test_a_changed_function_that_nobody_calls_stays_innocent() -> None:
    now = {**CALLS, "db.py": CALLS["db.py"].replace(b"    pass", b"    return 1")}
    failure = Failure(symptom="http_error", path="/total", status=500, traceback=SHOWS)
    found = diagnose(pack(failure, now, last_good={**GOOD, **CALLS}))
    assert (found.file, found.line) == ("app.py", 5)


DIED = 'Exception in thread Thread-3 (work):\nTraceback (most recent call last):\n  File "/srv/orders/db.py", line 2, in net\n    return sum(order) / 0\nZeroDivisionError: division by zero\n'


def test_a_thread_that_died_on_a_changed_line_explains_what_its_request_misses() -> None:
    now = {"db.py": b"def net(order):\n    return sum(order) / 0\n"}
    missing = SHOWS.replace("TypeError: unsupported operand", "KeyError: 'net'")
    failure = Failure(symptom="http_error", path="/total", status=500, traceback=missing)
    found = diagnose(pack(failure, now, log_tail=DIED))
    assert (found.file, found.line) == ("db.py", 2)
    assert "ended with ZeroDivisionError" in found.root_cause
    old = diagnose(pack(failure, log_tail=DIED))
    assert old.file == "app.py", "on a line that has not changed it may be of long ago"


def test_an_import_that_fails_in_a_running_service_is_no_failed_start() -> None:
    traceback = SHOWS.replace(
        "TypeError: unsupported operand", "ModuleNotFoundError: No module named 'tax'"
    )
    failure = Failure(symptom="http_error", path="/total", status=500, traceback=traceback)
    assert diagnose(pack(failure)).category is Category.CODE


def test_a_changed_value_of_a_module_that_the_failing_function_uses_is_blamed() -> None:
    good = {"db.py": b"RATES = [1, 2]\n\n\ndef net(order):\n    return sum(RATES)\n"}
    now = {"db.py": good["db.py"].replace(b"[1, 2]", b"None"), "app.py": CALLS["app.py"]}
    failure = Failure(symptom="http_error", path="/total", status=500, traceback=SHOWS)
    found = diagnose(pack(failure, now, last_good={**GOOD, **good, "app.py": CALLS["app.py"]}))
    assert (found.file, found.line) == ("db.py", 1)
    assert "RATES, which is used on the way there" in found.root_cause
