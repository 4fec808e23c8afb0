"""Verdicts in a row, as tables of single letters: h(ealthy), d(own), g (degraded), s(topped), u(nknown: starting)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitoring.standing import Limits, Standing, cause, changed, step
from monitoring.values import Health, Symptom, Verdict

VERDICTS = {
    "h": Verdict(health=Health.HEALTHY),
    "d": Verdict(health=Health.DOWN, symptom=Symptom.HTTP_ERROR, error_type="KeyError"),
    "D": Verdict(health=Health.DOWN, symptom=Symptom.HTTP_ERROR, error_type="NameError"),
    "g": Verdict(health=Health.DEGRADED, symptom=Symptom.SLOW),
    "s": Verdict(health=Health.UNKNOWN, symptom=Symptom.STOPPED),
    "u": Verdict(health=Health.UNKNOWN, symptom=Symptom.REFUSED),
}


def walk(letters: str, limits: Limits) -> tuple[str, str]:
    """Return the states after each verdict (first letters) and a mark for each announced change."""
    standing, states, marks = Standing(), "", ""
    for letter in letters:
        after = step(standing, VERDICTS[letter], limits)
        marks += "!" if changed(standing, after) else "."
        states += {"healthy": "h", "down": "d", "degraded": "g", "unknown": "u"}[after.state]
        standing = after
    return states, marks


@pytest.mark.parametrize(
    ("failures", "successes", "letters", "states", "marks"),
    [
        (1, 2, "hhh", "hhh", "!.."),
        (1, 2, "hdhh", "hddh", "!!.!"),
        (1, 2, "hdhdhh", "hddddh", "!!...!"),  # one good answer between two failures is no recovery
        (2, 2, "hdhdd", "hhhhd", "!...!"),  # nor is one failure an outage where two are needed
        (3, 1, "hddd", "hhhd", "!..!"),
        (1, 1, "hdh", "hdh", "!!!"),
        (1, 2, "dd", "dd", "!."),
        (1, 2, "hdD", "hdd", "!!!"),  # another cause while it is down
        (1, 2, "hdDdD", "hdddd", "!!!!!"),
        (3, 2, "hdddD", "hhhdd", "!..!!"),  # once failing, another cause needs no count of its own
        (1, 2, "hgd", "hgd", "!!!"),
        (1, 2, "hs", "hh", "!."),  # the gap of our own restart
        (1, 2, "hssh", "hhuh", "!.!!"),
        (1, 2, "hdssh", "hdddd", "!!..."),  # a stop does not end a failure
        (1, 2, "huuu", "hhhh", "!..."),
        (2, 2, "hduD", "hhhh", "!..."),
        (1, 2, "us", "uu", ".."),
    ],
)
def test_verdicts_in_a_row(
    failures: int, successes: int, letters: str, states: str, marks: str
) -> None:
    assert walk(letters, Limits(failures=failures, successes=successes)) == (states, marks)


def test_a_seen_exit_needs_no_second_failure() -> None:
    healthy = Standing(state=Health.HEALTHY, verdict=VERDICTS["h"])
    after = step(healthy, VERDICTS["d"], Limits(failures=5), certain=True)
    assert after.state is Health.DOWN


def test_while_it_recovers_the_announced_failure_stays_in_sight() -> None:
    down = step(Standing(), VERDICTS["d"], Limits())
    assert step(down, VERDICTS["h"], Limits()).verdict == VERDICTS["d"]


def test_a_moved_line_is_the_same_cause_and_another_function_is_not() -> None:
    def broken(line: int, function: str) -> Verdict:
        trace = f'Traceback (most recent call last):\n  File "a/b.py", line {line}, in {function}\n'
        return replace(VERDICTS["d"], traceback=trace)

    assert cause(broken(1, "f")) == cause(broken(9, "f"))
    assert cause(broken(1, "f")) != cause(broken(1, "g"))
