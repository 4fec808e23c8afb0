"""How a benchmark reports: a table on the console, JSON in `bench/results/`, and `docs/benchmarks.md` made from all of them."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
DOCUMENT = ROOT / "docs" / "benchmarks.md"
VERSIONS = ("django", "celery", "channels", "uvicorn", "pycurl")


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One promised figure beside the measured one; `met` None means that nothing was promised."""

    what: str
    measured: str
    goal: str = ""
    met: bool | None = None


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0..1) of the values lie, by the nearest rank."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(share * len(ordered) - 1e-9)) - 1]


def at_most(what: str, value: float, limit: float, unit: str) -> Goal:
    """Return a figure that must not exceed a limit."""
    shown = f"{value:.3g} {unit}".strip()
    return Goal(what=what, measured=shown, goal=f"<= {limit:g} {unit}".strip(), met=value <= limit)


def at_least(what: str, value: float, limit: float, unit: str = "") -> Goal:
    """Return a figure that must reach a limit."""
    shown = f"{value:.3g} {unit}".strip()
    return Goal(what=what, measured=shown, goal=f">= {limit:g} {unit}".strip(), met=value >= limit)


def report(name: str, title: str, goals: Sequence[Goal], details: Mapping[str, Any]) -> int:
    """Print the table, keep the JSON, make the document anew; return 0 when every goal is met, else 1."""
    rows = [
        [goal.what, goal.measured, goal.goal, {True: "yes", False: "NO", None: ""}[goal.met]]
        for goal in goals
    ]
    print(f"\n{title}\n{_table(['figure', 'measured', 'goal', 'met'], rows)}")
    RESULTS.mkdir(exist_ok=True)
    body = {
        "bench": name,
        "title": title,
        "figures": rows,
        **circumstances(name),
        **details,
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(body, indent=1, default=str) + "\n")
    make_document()
    return 0 if all(goal.met is not False for goal in goals) else 1


def circumstances(name: str) -> dict[str, Any]:
    """Return commit, machine, versions and the command that makes the figures again."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "command": " ".join(["./agentops", "bench", name, *sys.argv[1:]]),
        "commit": commit.stdout.strip(),
        "machine": f"{os.cpu_count()} x {platform.machine()}, {platform.system()}",
        "python": platform.python_version(),
        "versions": versions(),
    }


def versions(packages: Sequence[str] = VERSIONS) -> dict[str, str]:
    """Return the installed versions of some packages."""
    return {package: version(package) for package in packages}


def make_document() -> None:
    """Write `docs/benchmarks.md` from the JSON of every benchmark; no figure in it is typed by hand."""
    parts = [
        "# Benchmarks",
        "Made by the benchmarks themselves from `bench/results/*.json`; do not edit. Run one with `./agentops bench NAME`.",
    ]
    for path in sorted(RESULTS.glob("*.json")):
        body = json.loads(path.read_text())
        if "figures" in body:
            parts.append(_section(body))
    DOCUMENT.write_text("\n\n".join(parts) + "\n")


def _section(body: Mapping[str, Any]) -> str:
    head = "| figure | measured | goal | met |\n| --- | --- | --- | --- |"
    rows = "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in body["figures"])
    origin = (
        f"`{body['command']}`, commit {body['commit']}, {body['machine']}, Python {body['python']}"
    )
    note = f"\n\n{body['note']}" if body.get("note") else ""
    return f"## {body['bench']}: {body['title']}\n\n{head}\n{rows}\n\n{origin}{note}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(head), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
