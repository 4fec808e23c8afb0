"""The transition table is the only truth; its drawing says the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from incidents.states import ENDED, OPEN, TRANSITIONS, IllegalTransition, Status, check

DRAWING = Path(__file__).parents[2] / "docs" / "states.md"


def test_the_drawing_shows_exactly_the_table() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", DRAWING.read_text(), re.M))
    assert drawn == {(a.value, b.value) for a, targets in TRANSITIONS.items() for b in targets}


def test_every_status_is_either_open_or_ended() -> None:
    assert set(Status) == OPEN | ENDED
    assert not OPEN & ENDED


def test_every_status_can_be_reached_and_can_reach_an_end() -> None:
    reached, frontier = {Status.DETECTED}, [Status.DETECTED]
    while frontier:
        new = TRANSITIONS[frontier.pop()] - reached
        reached |= new
        frontier += new
    assert reached == set(Status)


def test_an_undo_always_asks_a_person() -> None:
    assert TRANSITIONS[Status.ROLLED_BACK] == {Status.ESCALATED}


def test_a_move_outside_the_table_is_refused_with_both_names() -> None:
    with pytest.raises(IllegalTransition, match="RESOLVED cannot become DEPLOYING"):
        check(Status.RESOLVED, Status.DEPLOYING)


def test_nothing_is_deployed_from_a_state_before_the_review() -> None:
    may_deploy = {status for status, targets in TRANSITIONS.items() if Status.DEPLOYING in targets}
    assert may_deploy == {Status.REVIEWING, Status.AWAITING_APPROVAL, Status.ESCALATED}
