"""The supervisor on small process tables, and the pieces it uses."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import child, supervisor
from launcher.child import Process, Surroundings, ending, rotate, tail
from launcher.console import LauncherError
from launcher.guard import follow
from launcher.signals import Signals
from launcher.supervisor import CRASH_LIMIT, CRASH_WINDOW, Child, StopRequested, Supervisor
from tests.launcher.checkout import alive

FAILS = (sys.executable, "-c", "print('no bread'); raise SystemExit(3)")
SLEEPS = (sys.executable, "-c", "import time; time.sleep(60)")


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def watched(tmp_path: Path, told: list[str]) -> Iterator[Supervisor]:
    around = Surroundings(tmp_path, tmp_path, {"PATH": os.environ["PATH"]}, told.append)
    with Signals() as signals:
        made = Supervisor(around, signals)
        yield made
        made.stop()


def test_a_crash_loop_is_given_up_with_the_log(
    watched: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "FIRST_DELAY", 0.001)
    crashing = watched.start(Process("baker", FAILS))
    with pytest.raises(
        LauncherError, match=r"(?s)baker ended with exit status 3, for the 6th.*no bread"
    ):
        watched.until(lambda: False, 20)
    assert len(crashing.crashes) == CRASH_LIMIT + 1


def test_delays_double_and_old_crashes_are_forgotten() -> None:
    row = Child(Process("any", FAILS))
    assert [row.note_crash(at) for at in (0, 1, 2, 3, 4)] == [0.5, 1, 2, 4, 8]
    assert row.note_crash(4 + CRASH_WINDOW) == 1.0
    row = Child(Process("any", FAILS))
    assert [row.note_crash(at) for at in range(6)][-1] is None


def test_a_step_that_fails_says_so_with_its_log(watched: Supervisor) -> None:
    with pytest.raises(LauncherError, match=r"(?s)step ended with exit status 3.*no bread"):
        watched.run(Process("step", FAILS, once=True))


def test_a_request_to_stop_is_noticed_at_once(watched: Supervisor) -> None:
    row = watched.start(Process("sleeper", SLEEPS))
    assert row.running
    pid = row.running.pid
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(StopRequested):
        watched.tick(60)
    watched.stop()
    assert not alive(pid)


def test_time_that_one_part_leaves_is_there_for_the_next(
    watched: Supervisor, tmp_path: Path
) -> None:
    done = tmp_path / "done"
    slow = f"import pathlib, time; time.sleep(0.3); pathlib.Path({str(done)!r}).touch()"
    undo = (sys.executable, "-S", "-c", slow)  # takes longer than its own grace
    row = watched.start(
        Process("services", (sys.executable, "-c", ""), once=True, undo=undo, grace=0.05)
    )
    assert watched.until(lambda: row.status == 0, 20)
    watched.start(Process("sleeper", SLEEPS, grace=20.0))
    watched.stop()
    assert done.exists()


def test_the_guard_is_told_of_every_group(watched: Supervisor, told: list[str]) -> None:
    row = watched.start(Process("sleeper", SLEEPS))
    assert row.running
    pid = row.running.pid
    assert told == [f"+{pid}"]
    watched.stop()
    assert told[-1] == f"-{pid}"


def test_the_guard_keeps_count() -> None:
    assert follow(["+1\n", "+2\n", "-1\n", "-9\n"]) == {2}
    assert follow(["+1\n", "done\n"]) is None


def test_a_large_log_is_moved_aside_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "LOG_LIMIT", 10)
    log = tmp_path / "a.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 11)
        rotate(log)
        writer.write(b"new")
    assert log.read_bytes() == b"new"
    assert (tmp_path / "a.log.1").read_bytes() == b"x" * 11
    rotate(log)
    assert log.read_bytes() == b"new"


def test_the_tail_of_a_log_never_fails(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert "cannot be read" in tail(log)
    log.write_bytes(b"")
    assert "empty" in tail(log)
    log.write_bytes(b"\xff\n" + b"line\n" * 5000)
    assert tail(log, lines=2) == "line\nline"


def test_endings_are_words() -> None:
    assert ending(3) == "ended with exit status 3"
    assert ending(-9) == "was killed by SIGKILL"
    assert ending(-200) == "was killed by signal 200"
