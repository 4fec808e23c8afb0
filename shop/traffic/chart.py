"""The live chart of a run: bars for what was answered, lines for latency. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT, BASE = 600, 120, 104
TOP = 22  # room above the highest bar, where the scale is written
SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Second:
    """One second: how many were answered, how many of these failed, and the latency in milliseconds."""

    count: int
    errors: int
    p50_ms: float
    p95_ms: float


def draw(seconds: Sequence[Second]) -> dict[str, Any]:
    """Return bars and lines of the last minute, newest at the right, each chart with its own scale."""
    shown = list(seconds)[-SECONDS:]
    offset = SECONDS - len(shown)
    most = max((one.count for one in shown), default=0) or 1
    slowest = max((one.p95_ms for one in shown), default=0.0) or 1.0
    step = WIDTH / SECONDS
    bars = []
    for place, one in enumerate(shown, start=offset):
        bad = round(one.errors / most * (BASE - TOP), 1)
        good = round((one.count - one.errors) / most * (BASE - TOP), 1)
        bars.append(
            {
                "x": round(place * step + 1, 1),
                "width": round(step - 2, 1),
                "good_y": round(BASE - bad - good, 1),
                "good": good,
                "bad_y": round(BASE - bad, 1),
                "bad": bad,
            }
        )
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "base": BASE,
        "bars": bars,
        "p50": _line([one.p50_ms for one in shown], offset, step, slowest),
        "p95": _line([one.p95_ms for one in shown], offset, step, slowest),
        "most": f"{most} a second",
        "slowest": f"{slowest:.0f} ms",
    }


def _line(values: Sequence[float], offset: int, step: float, top: float) -> str:
    return " ".join(
        f"{(place + 0.5) * step:.1f},{BASE - value / top * (BASE - TOP):.1f}"
        for place, value in enumerate(values, start=offset)
    )
