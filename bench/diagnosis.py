"""How often the built-in engine finds the file and the line to blame, on failures that are really caused.

Run `python -m bench.diagnosis [--heal] [--only TEXT]`. The corpus is `tests/incidents/engine/{faults,later_faults,blind_faults}.py`: three
services of different shape are broken, run, asked and diagnosed. With `--heal` the proposed fixes are tried, too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from incidents.engine.diagnostician import BuiltInDiagnostician
from incidents.engine.fix_writer import BuiltInFixWriter
from incidents.values import DiagnosisDraft, EvidencePack, Wishes
from tests.incidents.engine.blind_faults import AGAIN, BLIND
from tests.incidents.engine.cases import evidence, heals
from tests.incidents.engine.faults import CORPUS
from tests.incidents.engine.later_faults import LATER
from tests.incidents.engine.patients import Fault

RESULTS = Path(__file__).parent / "results" / "diagnosis.json"


@dataclass(frozen=True, kw_only=True)
class Result:
    """One diagnosed failure: what was right, and how long it took. `healed` is None where it was not tried."""

    name: str
    part: str
    category: bool
    file: bool
    line: bool
    blames_the_innocent: bool
    healed: bool | None
    ms: float
    said: str


def diagnosed(fault: Fault, part: str, *, heal: bool) -> Result:
    """Cause one failure and return how it was diagnosed."""
    with tempfile.TemporaryDirectory() as folder:
        live = Path(folder, "live")
        live.mkdir()
        pack = evidence(fault, live)
        begun = time.perf_counter()
        found = BuiltInDiagnostician().diagnose(pack)
        ms = (time.perf_counter() - begun) * 1000
        return Result(
            name=f"{fault.patient}: {fault.name}",
            part=part,
            category=found.category == fault.category,
            file=found.file == fault.file,
            line=found.line == fault.true_line() or not fault.line,
            blames_the_innocent=not fault.file and bool(found.file),
            healed=_healed(fault, pack, found, Path(folder)) if heal else None,
            ms=round(ms, 2),
            said=f"{found.category}: {found.root_cause}",
        )


def _healed(fault: Fault, pack: EvidencePack, found: DiagnosisDraft, folder: Path) -> bool:
    drafts = BuiltInFixWriter().propose(pack, found, Wishes())
    tried = (heals(fault, pack, draft, folder / str(n)) for n, draft in enumerate(drafts))
    return any(tried) is fault.heals


def figures(results: Sequence[Result]) -> dict[str, Any]:
    """Return counts and rates of some results."""
    total = len(results)
    rights = {
        name: sum(getattr(row, name) for row in results) for name in ("category", "file", "line")
    }
    tried = [row.healed for row in results if row.healed is not None]
    return {
        "cases": total,
        **{f"{name}_right": count for name, count in rights.items()},
        **{f"{name}_rate": round(count / total, 4) for name, count in rights.items()},
        "blamed_innocents": sum(row.blames_the_innocent for row in results),
        "ended_as_they_should": sum(tried) if tried else None,
        "median_ms": round(statistics.median(row.ms for row in results), 2),
        "slowest_ms": max(row.ms for row in results),
    }


def measure(*, heal: bool, only: str) -> dict[str, Any]:
    """Diagnose the corpus and return the figures of both parts, with every failure that was judged wrongly."""
    chosen = (
        [("first", f) for f in CORPUS]
        + [("later", f) for f in LATER]
        + [("blind", f) for f in BLIND]
        + [("again", f) for f in AGAIN]
    )
    results = [
        diagnosed(fault, part, heal=heal)
        for part, fault in chosen
        if only in f"{part} {fault.name}"
    ]
    parts = {
        part: [row for row in results if row.part == part]
        for part in ("first", "later", "blind", "again")
    }
    wrong = [
        asdict(row)
        for row in results
        if not (row.category and row.file and row.line and row.healed is not False)
    ]
    return {
        **figures(results),
        "parts": {part: figures(rows) for part, rows in parts.items() if rows},
        "wrong": wrong,
    }


def _context() -> dict[str, Any]:
    git = ["git", "rev-parse", "--short", "HEAD"]
    revision = subprocess.run(git, capture_output=True, text=True, check=False)  # noqa: S603
    return {
        "commit": revision.stdout.strip(),
        "command": f"python -m bench.diagnosis {' '.join(sys.argv[1:])}".strip(),
        "machine": f"{os.cpu_count()} x {platform.machine()}, {platform.system()}",
        "versions": {"python": platform.python_version(), "py-spy": version("py-spy")},
    }


def _print_table(found: dict[str, Any]) -> None:
    print(
        f"{'part':10}{'cases':>7}{'category':>10}{'file':>8}{'line':>8}{'innocents':>11}{'ended':>8}"
    )
    for part, row in {**found["parts"], "all": found}.items():
        rates = [f"{row[f'{name}_rate']:.0%}" for name in ("category", "file", "line")]
        ended = "" if row["ended_as_they_should"] is None else row["ended_as_they_should"]
        print(
            f"{part:10}{row['cases']:>7}{rates[0]:>10}{rates[1]:>8}{rates[2]:>8}"
            f"{row['blamed_innocents']:>11}{ended:>8}"
        )
    print(f"median {found['median_ms']} ms a diagnosis, slowest {found['slowest_ms']} ms")
    for row in found["wrong"]:
        missed = [name for name in ("category", "file", "line", "healed") if row[name] is False]
        print(f"WRONG {', '.join(missed)} in {row['name']}: {row['said']}")


def main() -> int:
    """Measure, print and write the result; the exit code is 1 below the promised rates (file 95 %, line 90 %)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heal", action="store_true", help="try the proposed fixes, too")
    parser.add_argument("--only", default="", help="only failures whose part and name hold this")
    given = parser.parse_args()
    found = measure(heal=given.heal, only=given.only)
    _print_table(found)
    if not given.only:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(_context() | found, indent=2) + "\n")
    return 0 if found["file_rate"] >= 0.95 and found["line_rate"] >= 0.90 else 1


if __name__ == "__main__":
    sys.exit(main())
