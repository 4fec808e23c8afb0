"""When a service is asked next: tables of seconds from now."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.schedule import phase, plan


@pytest.mark.parametrize(
    ("due", "interval", "starts", "next_due"),
    [
        (0.0, 5.0, (0.0,), 5.0),
        (0.3, 5.0, (0.3,), 5.3),
        (-0.2, 5.0, (0.0,), 4.8),  # late, and back on its own beat
        (-12.0, 5.0, (0.0,), 3.0),  # two missed times are skipped
        (-3600.0, 5.0, (0.0,), 5.0),
        (0.2, 0.5, (0.2, 0.7), 1.2),
        (-0.1, 0.5, (0.0, 0.4, 0.9), 1.4),
    ],
)
def test_times_in_a_window_of_one_second(
    due: float, interval: float, starts: tuple[float, ...], next_due: float
) -> None:
    made = plan(due, interval=interval, window=1.0)
    assert made.starts == pytest.approx(starts)
    assert made.next_due == pytest.approx(next_due)


@given(
    due=st.floats(-1e6, 0.99),
    interval=st.floats(0.5, 3600),
    window=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_there_is_no_burst_and_no_gap(due: float, interval: float, window: float) -> None:
    made = plan(due, interval=interval, window=window)
    assert 1 <= len(made.starts) <= window / interval + 2
    assert made.next_due >= min(window, interval) - 1e-6
    assert made.next_due - made.starts[-1] <= interval + 1e-6


def test_services_made_together_do_not_stay_together() -> None:
    shares = sorted(phase(number) for number in range(1, 401))
    gaps = [after - before for before, after in pairwise(shares)]
    assert max(gaps) < 3 / 400
