"""Server-made charts: points and labels for a template to draw. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, log10
from typing import Any

WIDTH, HEIGHT, FOOT, HEAD = 600, 160, 18, 8
SPARK_WIDTH, SPARK_HEIGHT, SPARK_EDGE = 60, 16, 2


@dataclass(frozen=True, kw_only=True)
class Minute:
    """One minute of probing: when, how many, how many failed, and the latency in milliseconds."""

    at: datetime
    count: int
    failures: int
    p50_ms: float
    p95_ms: float


def latency(minutes: Sequence[Minute], *, start: datetime, end: datetime) -> dict[str, Any]:
    """Return the latency chart of a stretch of time in a box of `WIDTH` x `HEIGHT`.

    A minute without probes breaks the lines instead of being drawn over; minutes with failures are marked below.
    """
    top = _round_up(max((minute.p95_ms for minute in minutes), default=0.0))
    seconds = max(1.0, (end - start).total_seconds())

    def x(at: datetime) -> float:
        return round((at - start).total_seconds() / seconds * WIDTH, 1)

    def y(value: float) -> float:
        return round(HEIGHT - FOOT - value / top * (HEIGHT - FOOT - HEAD), 1)

    runs = _runs(minutes)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "base": HEIGHT - FOOT,
        "foot": HEIGHT - 4,
        "p50": [" ".join(f"{x(m.at)},{y(m.p50_ms)}" for m in run) for run in runs],
        "p95": [" ".join(f"{x(m.at)},{y(m.p95_ms)}" for m in run) for run in runs],
        "failed": [{"x": x(m.at), "count": m.failures} for m in minutes if m.failures],
        "grid": [{"y": y(top * part), "label": f"{top * part:g} ms"} for part in (0.5, 1.0)],
        "start": start,
        "end": end,
    }


def sparkline(values: Sequence[float]) -> str:
    """Return points for a 60 x 16 box; none for fewer than two values."""
    if len(values) < 2:
        return ""
    top = max(values) or 1.0
    step, room = SPARK_WIDTH / (len(values) - 1), SPARK_HEIGHT - 2 * SPARK_EDGE
    return " ".join(
        f"{place * step:.1f},{SPARK_EDGE + room * (1 - value / top):.1f}"
        for place, value in enumerate(values)
    )


def _runs(minutes: Sequence[Minute]) -> list[list[Minute]]:
    """Return the stretches without a gap of more than a minute and a half."""
    runs: list[list[Minute]] = []
    for minute in minutes:
        if runs and (minute.at - runs[-1][-1].at).total_seconds() <= 90:
            runs[-1].append(minute)
        else:
            runs.append([minute])
    return runs


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, 50, ... so that the axis has round labels."""
    if value <= 1:
        return 1.0
    power: float = 10 ** (ceil(log10(value)) - 1)
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
