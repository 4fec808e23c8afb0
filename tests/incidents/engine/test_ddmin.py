"""The smallest reversal that heals: found, proved 1-minimal, and never claimed when it was not seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidents.engine.ddmin import Ids, Limits, Minimal, Passes, minimal_revert

NAMES = [f"c{n}" for n in range(60)]


class Oracle:
    """Answers by a rule, and remembers what it was asked."""

    def __init__(self, rule: Passes) -> None:
        self.rule = rule
        self.asked: list[Ids] = []

    def __call__(self, ids: Ids) -> bool | None:
        self.asked.append(ids)
        return self.rule(ids)


def needs(*names: str) -> Oracle:
    return Oracle(lambda ids: set(names) <= ids)


def search(oracle: Oracle, names: Sequence[str] = NAMES, calls: int = 200) -> Minimal:
    return minimal_revert(names, oracle, Limits(calls=calls))


def assert_minimal(found: Minimal, oracle: Oracle) -> None:
    assert found.changes is not None
    assert found.proved
    assert oracle.rule(found.changes) is True
    for change in found.changes:
        assert oracle.rule(found.changes - {change}) is not True or found.changes == {change}
        if len(found.changes) > 1:
            assert found.changes - {change} in oracle.asked


@pytest.mark.parametrize("faulty", [0, 1])
def test_one_fault_high_in_the_ranking_takes_two_trials(faulty: int) -> None:
    oracle = needs(NAMES[faulty])
    found = search(oracle)
    assert (found.changes, found.proved, found.calls) == (frozenset({NAMES[faulty]}), True, 2)


@pytest.mark.parametrize("faulty", [5, 17, 42, 59])
def test_one_fault_anywhere_among_sixty_is_found(faulty: int) -> None:
    oracle = needs(NAMES[faulty])
    found = search(oracle)
    assert found.changes == frozenset({NAMES[faulty]})
    assert found.calls <= 25
    assert_minimal(found, oracle)


@pytest.mark.parametrize("faults", [(0, 1), (3, 50), (10, 30, 55), (0, 20, 40, 59)])
def test_independent_faults_are_all_in_the_result(faults: tuple[int, ...]) -> None:
    oracle = needs(*(NAMES[n] for n in faults))
    found = search(oracle)
    assert found.changes == frozenset(NAMES[n] for n in faults)
    assert found.calls <= 150
    assert_minimal(found, oracle)


def test_hunks_that_only_make_sense_together_stay_together() -> None:
    # Half of the group does not even compile: it cannot be tried.
    group = frozenset({"c7", "c8", "c33"})

    def rule(ids: Ids) -> bool | None:
        return None if ids & group and not group <= ids else group <= ids

    oracle = Oracle(rule)
    found = search(oracle)
    assert found.changes == group
    assert_minimal(found, oracle)


def test_when_nothing_heals_two_rounds_and_one_trial_of_everything_say_so() -> None:
    oracle = Oracle(lambda _ids: False)
    found = search(oracle)
    assert (found.changes, found.proved) == (None, False)
    assert "the cause lies elsewhere" in found.why
    assert found.calls <= 6
    assert oracle.asked[-1] == frozenset(NAMES)


def test_a_last_good_version_that_cannot_be_tried_is_not_called_harmless() -> None:
    assert "cannot be tried" in search(Oracle(lambda _ids: None)).why


def test_without_changes_no_trial_is_made() -> None:
    oracle = needs("x")
    assert "nothing changed" in search(oracle, []).why
    assert oracle.asked == []


def test_a_search_that_runs_out_gives_the_best_it_saw_unproved() -> None:
    oracle = needs("c10", "c50")
    found = search(oracle, calls=9)
    assert found.changes is not None
    assert {"c10", "c50"} <= found.changes
    assert not found.proved
    assert "9 trials" in found.why
    assert len(oracle.asked) <= 9


def test_a_search_stops_at_its_deadline() -> None:
    ticks = iter(range(1000))
    limits = Limits(deadline=4, clock=lambda: float(next(ticks)))
    found = minimal_revert(NAMES, needs("c10", "c50"), limits)
    assert (found.proved, found.why) == (False, "the search was ended: its time is over")


def test_nothing_is_tried_twice_and_batches_run_side_by_side() -> None:
    oracle = needs("c10", "c50")
    batches: list[int] = []
    with ThreadPoolExecutor(4) as pool:

        def side_by_side(passes: Passes, sets: Sequence[Ids]) -> Iterable[bool | None]:
            batches.append(len(sets))
            return pool.map(passes, sets)

        found = minimal_revert(NAMES, oracle, Limits(at_once=4), side_by_side)
    assert found.changes == frozenset({"c10", "c50"})
    assert len(set(oracle.asked)) == len(oracle.asked) == found.calls
    assert max(batches) == 4


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 24), st.data())
def test_monotone_oracles_give_a_proved_smallest_set(size: int, data: st.DataObject) -> None:
    names = NAMES[:size]
    ways = data.draw(
        st.lists(st.sets(st.sampled_from(names), min_size=1, max_size=5), min_size=1, max_size=3)
    )
    oracle = Oracle(lambda ids: any(way <= ids for way in ways))
    found = minimal_revert(names, oracle, Limits(calls=5000))
    assert_minimal(found, oracle)
    assert found.changes in [frozenset(way) for way in ways]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 16), st.integers(0, 2**32))
def test_even_an_oracle_without_any_order_gives_a_proved_1_minimal_set(
    size: int, seed: int
) -> None:
    names = NAMES[:size]

    def rule(ids: Ids) -> bool | None:
        if len(ids) == size:
            return True
        return (True, False, False, None)[crc32(f"{seed}{sorted(ids)}".encode()) % 4]

    oracle = Oracle(rule)
    found = minimal_revert(names, oracle, Limits(calls=100_000))
    assert_minimal(found, oracle)
