"""Heal-Bench: how many faults are found, understood and repaired without harm, by the built-in parts alone.

Run `./agentops bench heal [--only NAME] [--lanes 2]`. Three services of different shape, one file a fault in `bench/corpus/heal/`
(what it may say: `bench/_faults.py`). What nobody detects counts as not detected; a lead approves at once what asks for it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

from bench._alone import prepare
from bench._faults import Fault, faults
from bench._healing import failed, play
from bench._report import Goal, at_least, at_most, percentile, report

Row = dict[str, Any]
LIMIT = 480.0
SHARE = 0.95


def main() -> int:
    """Play the corpus on some lanes and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="play the faults whose name holds this")
    parser.add_argument("--lanes", type=int, default=(os.cpu_count() or 2) + 1)
    options = parser.parse_args()
    chosen = list(faults(options.only))
    if not chosen:
        parser.error(f"no fault's name holds {options.only!r}")
    begun = time.monotonic()
    rows = sorted(_played(chosen, min(options.lanes, len(chosen))), key=lambda row: row["name"])
    took = time.monotonic() - begun
    for row in rows:
        print(_line(row))
    if options.only:
        for row in rows:
            print(f"\n{row['name']}: {row['story']}")
        return 0  # a part of the corpus says nothing about the whole: nothing is kept
    details = {"note": _note(rows), "cases": rows, "seconds": round(took, 1)}
    return report("heal", "faults healed without a model", _goals(rows, took), details)


def _played(chosen: list[Fault], lanes: int) -> Iterable[Row]:
    # Lanes are processes with a database each: they share no lock, as agents on several machines would not.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(lanes, mp_context=spawn, initializer=prepare) as pool:
        running = {pool.submit(play, fault): fault for fault in chosen}
        for done in as_completed(running):
            fault, error = running[done], done.exception()
            row = failed(fault, error) if error else done.result()
            print("." if row["fixed"] or fault.is_control else "x", end="", flush=True)
            yield row
    print()


def _goals(rows: list[Row], took: float) -> list[Goal]:
    broken = [row for row in rows if row["kind"] != "control"]
    ours = [row for row in broken if row["kind"] in {"code", "config"}]
    controls = [row for row in rows if row["kind"] == "control"]
    return [
        _share("detected", broken, "detected"),
        *_seconds("time to detect (probed every second)", broken, "detect_seconds"),
        _share("culprit file right", broken, "file_right"),
        _share("culprit line right", broken, "line_right"),
        _share("fixed", broken, "fixed"),
        _share("regression-free", broken, "regression_free"),
        at_least(
            f"code and config faults fixed and regression-free (n={len(ours)})",
            sum(row["regression_free"] for row in ours) / len(ours),
            SHARE,
        ),
        _lines([row for row in broken if row["fixed"] and row["minimum"]]),
        *_seconds("time to heal", [row for row in broken if row["fixed"]], "heal_seconds"),
        at_most(
            f"false incidents on {len(controls)} controls",
            sum(row["false_incidents"] for row in controls),
            0,
            "",
        ),
        at_most("unauthorised or unproved deploys", sum(row["bad_deploys"] for row in rows), 0, ""),
        at_most("the whole run", took, LIMIT, "s"),
    ]


def _share(what: str, rows: list[Row], key: str) -> Goal:
    count = sum(bool(row[key]) for row in rows)
    return Goal(what=what, measured=f"{count} of {len(rows)} ({count / len(rows):.0%})")


def _seconds(what: str, rows: list[Row], key: str) -> list[Goal]:
    times = [row[key] for row in rows if row[key] is not None]
    return [
        Goal(what=f"{what}, p{share * 100:.0f}", measured=f"{percentile(times, share):.2f} s")
        for share in (0.5, 0.95)
    ]


def _lines(rows: list[Row]) -> Goal:
    changed, least = sum(row["lines"] for row in rows), sum(row["minimum"] for row in rows)
    return Goal(what="lines changed against the minimum", measured=f"{changed} / {least}")


def _note(rows: list[Row]) -> str:
    """Name what was not healed, and how far each came: a share alone would hide it."""
    missed = [row for row in rows if row["kind"] != "control" and not row["regression_free"]]
    said = [f"`{row['name']}` ({_fate(row)})" for row in missed]
    return f"Not healed: {', '.join(said)}." if said else "Everything was healed."


def _fate(row: Row) -> str:
    if not row["detected"]:
        return "not detected"
    return "fixed, but something else changed" if row["fixed"] else "detected, not fixed"


def _line(row: Row) -> str:
    marks = "".join(
        letter if row[key] else "-"
        for letter, key in (
            ("D", "detected"),
            ("F", "file_right"),
            ("L", "line_right"),
            ("X", "fixed"),
            ("R", "regression_free"),
        )
    )
    heal = f"{row['heal_seconds']:.1f} s" if row["heal_seconds"] else ""
    wrong = f"  FALSE {row['false_incidents']}" if row["false_incidents"] else ""
    return f"{row['name']:28}{marks:7}{row['lines']:>4}/{row['minimum']:<4}{heal:>8}{wrong}"


if __name__ == "__main__":
    sys.exit(main())
