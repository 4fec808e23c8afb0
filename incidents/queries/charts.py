"""Charts as numbers: pure functions that turn values into places in a viewBox, drawn by templates as SVG.

Every chart carries its values as a table too, for those who cannot see it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 28
MOST_LABELS = 8


@dataclass(frozen=True, kw_only=True)
class Series:
    """A named row of values, one a label; None where there is none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Table:
    """The same values in words."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def nice_top(value: float) -> float:
    """Return a round number at or above a value: 1, 2, 5 or 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= value)


def _x(place: int, count: int) -> float:
    """Return the middle of a label's band."""
    band = (WIDTH - LEFT - RIGHT) / max(count, 1)
    return round(LEFT + band * (place + 0.5), 1)


def _y(value: float, top: float) -> float:
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(max(value / top, 0.0), 1.0)), 1)


def _grid(top: float, unit: str) -> list[dict[str, Any]]:
    parts = (0.0, 0.25, 0.5, 0.75, 1.0)
    return [{"y": _y(top * part, top), "text": f"{top * part:g}{unit}"} for part in parts]


def _labels(labels: Sequence[str]) -> list[dict[str, Any]]:
    """Return as many labels as fit without touching."""
    every = max(1, -(-len(labels) // MOST_LABELS))
    return [
        {"x": _x(place, len(labels)), "text": text}
        for place, text in enumerate(labels)
        if place % every == 0
    ]


def _frame(title: str, top: float, unit: str, labels: Sequence[str]) -> dict[str, Any]:
    return {
        "title": title,
        "width": WIDTH,
        "height": HEIGHT,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "bottom": HEIGHT - BOTTOM,
        "label_y": HEIGHT - 8,
        "grid": _grid(top, unit),
        "labels": _labels(labels),
    }


def _table(labels: Sequence[str], series: Sequence[Series], unit: str) -> Table:
    return Table(
        head=["", *[one.name for one in series]],
        rows=[
            [label, *[_cell(one.values[place], unit) for one in series]]
            for place, label in enumerate(labels)
        ],
    )


def _cell(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{round(value, 1):g}{unit}"


def lines(
    title: str, labels: Sequence[str], series: Sequence[Series], unit: str = ""
) -> dict[str, Any]:
    """Return a chart of lines over labels; a missing value leaves a gap, a lone one is a dot."""
    top = nice_top(max((v for one in series for v in one.values if v is not None), default=0.0))
    drawn = [
        {
            "name": one.name,
            "number": number,
            "parts": _parts(one.values, top),
            "dots": [
                {"x": _x(i, len(labels)), "y": _y(v, top), "text": f"{labels[i]}: {_cell(v, unit)}"}
                for i, v in enumerate(one.values)
                if v is not None
            ],
        }
        for number, one in enumerate(series, start=1)
    ]
    return {
        **_frame(title, top, unit, labels),
        "series": drawn,
        "table": _table(labels, series, unit),
    }


def _parts(values: Sequence[float | None], top: float) -> list[str]:
    """Return the points of each unbroken run of at least two values."""
    runs: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{_x(place, len(values))},{_y(value, top)}")
    return [" ".join(run) for run in runs if len(run) > 1]


def stacked(title: str, labels: Sequence[str], series: Sequence[Series]) -> dict[str, Any]:
    """Return a chart of stacked bars of counts."""
    sums = [sum(one.values[i] or 0 for one in series) for i in range(len(labels))]
    top = 4 * max(1.0, nice_top(max(sums, default=0.0) / 4))  # counts: no mark between two of them
    band = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)
    width = round(min(band * 0.7, 40.0), 1)
    bars: list[dict[str, Any]] = []
    for place, label in enumerate(labels):
        base = 0.0
        for number, one in enumerate(series, start=1):
            value = one.values[place] or 0
            if value:
                y, foot = _y(base + value, top), _y(base, top)
                bars.append(
                    {
                        "number": number,
                        "x": round(_x(place, len(labels)) - width / 2, 1),
                        "y": y,
                        "width": width,
                        "height": round(foot - y, 1),
                        "text": f"{label}, {one.name}: {value:g}",
                    }
                )
            base += value
    names = [{"name": one.name, "number": number} for number, one in enumerate(series, start=1)]
    return {
        **_frame(title, top, "", labels),
        "bars": bars,
        "series": names,
        "table": _table(labels, series, ""),
    }


def shares(rows: Sequence[tuple[str, int]]) -> list[dict[str, Any]]:
    """Return counts by name in the given order, each with its share of all in percent."""
    total = sum(count for _, count in rows)
    return [
        {"name": name, "count": count, "percent": round(100 * count / total, 1)}
        for name, count in rows
        if total
    ]
