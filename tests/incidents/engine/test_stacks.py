"""Stacks of several samples: a loop that goes round is told from a thread that waits, and threads are counted once."""

from __future__ import annotations

from incidents.engine.culprits import Places
from incidents.engine.stacks import Stuck, find_stuck, parse_stacks

PLACES = Places("/srv/app", {"app.py", "pool.py"})


def sample(number: int, *threads: str) -> str:
    return "\n".join([f"Sample {number}", "Process 7: python3 app.py", *threads])


def thread(line: int, *, active: bool = False, function: str = "work", inner: str = "") -> str:
    state = "active" if active else "idle"
    below = f"    {inner} (/usr/lib/python3.11/threading.py:320)\n" if inner else ""
    return f'Thread 0x7F ({state}): "T"\n{below}    {function} (/srv/app/app.py:{line})\n'


def stuck_in(*samples: str, changed: int = 0) -> Stuck:
    found = find_stuck(parse_stacks("\n".join(samples)), PLACES, lambda _f, line: line == changed)
    assert found is not None
    return found


def test_a_thread_that_waits_stands_on_one_line_in_every_sample() -> None:
    stuck = stuck_in(*(sample(n, thread(12, inner="wait")) for n in (1, 2, 3)))
    assert (stuck.line, stuck.threads, stuck.samples, stuck.moving) == (12, 1, 3, False)
    assert stuck.busy is False


def test_a_busy_loop_moves_between_the_lines_of_its_function() -> None:
    stuck = stuck_in(*(sample(n, thread(n + 11)) for n in (1, 2, 3)))
    assert (stuck.function, stuck.samples, stuck.moving) == ("work", 3, True)


def test_threads_are_counted_in_one_sample_and_not_over_all() -> None:
    two = (thread(12, inner="acquire"), thread(12, inner="acquire"))
    assert stuck_in(*(sample(n, *two) for n in (1, 2, 3))).threads == 2


def test_what_was_merely_passed_loses_to_what_is_seen_in_every_sample() -> None:
    passing = [thread(40 + n, function="passing", active=True) for n in range(3)]
    samples = [sample(n, thread(12), *(passing if n == 1 else [])) for n in (1, 2, 3)]
    assert stuck_in(*samples).function == "work"


def test_a_line_that_changed_wins() -> None:
    stuck = stuck_in(sample(1, thread(12), thread(12), thread(50, function="new")), changed=50)
    assert (stuck.line, stuck.on_changed_line) == (50, True)
