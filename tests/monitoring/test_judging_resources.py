"""The rules of leaks and floods: steady growth over minutes, limits that come near, and no alarm for what is normal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from monitoring.judging_resources import (
    FILES,
    LOG,
    MEMORY,
    Limits,
    Sample,
    Trouble,
    find_trouble,
    goes_on,
)

MB = 1_000_000
LIMITS = Limits(file_limit=1024)


def story(seconds: int = 300, **figures: Callable[[int], float]) -> list[Sample]:
    """Return a sample each ten seconds; each figure is a function of the second."""
    return [
        Sample(at=float(at), **{name: int(value(at)) for name, value in figures.items()})
        for at in range(0, seconds + 1, 10)
    ]


def kind(samples: list[Sample], limits: Limits = LIMITS) -> str:
    found = find_trouble(samples, limits)
    return found.kind if found else ""


def test_memory_that_grows_steadily_is_a_leak_and_says_the_figures() -> None:
    found = find_trouble(story(memory=lambda at: 40 * MB + at * 200_000), LIMITS)
    assert found is not None
    assert found.kind == MEMORY
    assert "from 46.0 MB to 100.0 MB in 4.5 minutes" in found.detail


@pytest.mark.parametrize(
    "memory",
    [
        lambda _at: 40 * MB,
        lambda at: 40 * MB + min(at, 60) * MB,
        lambda at: 40 * MB + (60 * MB if at > 200 else 0),
        lambda at: 40 * MB + (at % 60) * MB,
        lambda at: 40 * MB + at * 20_000,
        lambda at: 900 * MB + at * 200_000,
    ],
    ids=["still", "warming up", "one jump", "saw tooth", "a little", "little of much"],
)
def test_what_processes_normally_do_is_no_leak(memory: Callable[[int], float]) -> None:
    assert kind(story(memory=memory)) == ""


def test_a_leak_may_begin_in_the_middle_of_a_long_life() -> None:
    assert kind(story(800, memory=lambda at: 40 * MB + max(0, at - 400) * 150_000)) == MEMORY


def test_a_leak_needs_its_time() -> None:
    assert kind(story(120, memory=lambda at: 40 * MB + at * MB)) == ""


def test_files_leak_by_growth_or_by_their_limit() -> None:
    assert kind(story(files=lambda at: 10 + at // 4)) == FILES
    assert kind(story(files=lambda at: 10 + at // 50)) == ""
    assert kind(story(20, files=lambda _at: 900)) == FILES
    assert kind(story(20, files=lambda _at: 900), Limits()) == "", "no limit is known"


def test_a_declared_limit_of_memory_needs_no_growth() -> None:
    assert kind(story(20, memory=lambda _at: 90 * MB), Limits(memory_limit=100 * MB)) == MEMORY


def test_a_log_floods_by_its_rate_unless_that_is_usual() -> None:
    loud = story(70, log_bytes=lambda at: at * 100_000)
    assert kind(loud) == LOG
    assert kind(loud, Limits(usual_log=5.0 * MB)) == ""
    assert kind(story(50, log_bytes=lambda at: at * 100_000)) == "", "a minute was not seen yet"
    assert kind(story(300, log_bytes=lambda at: at * 10_000)) == ""


def test_a_leak_that_pauses_is_not_over_but_one_that_is_given_back_is() -> None:
    leak = Trouble(kind=MEMORY, detail="", value=200.0 * MB)
    assert goes_on(leak, story(memory=lambda _at: 190 * MB), LIMITS)
    assert not goes_on(leak, story(memory=lambda _at: 50 * MB), LIMITS)


def test_a_flood_is_over_when_it_is_quiet() -> None:
    flood = Trouble(kind=LOG, detail="", value=6.0 * MB)
    assert goes_on(flood, story(log_bytes=lambda at: at * 20_000), LIMITS)
    assert not goes_on(flood, story(log_bytes=lambda at: at * 1_000), LIMITS)
