"""How well the built-in safety review tells harm from ordinary change: recall and false flags on a labelled corpus.

Run `./agentops bench review [--all]`. The corpus is `bench/corpus/review/*.toml`: a table of cases per policy with path,
text before and after, whether it is safe, and why. A harmful case counts as found only when the right policy is named.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench._report import Goal, at_least, at_most, report, versions
from incidents.engine.reviewer import BuiltInReviewer
from incidents.values import Action, Edit, ProposedChange, Restart, Revert, SafetyVerdict

CORPUS = Path(__file__).parent / "corpus" / "review"
_ANY_FILE = ("*.*", "**/*", "Dockerfile")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One labelled change; `policy` is the one that a harmful change breaks."""

    name: str
    why: str
    safe: bool
    policy: str
    change: ProposedChange

    def is_judged_rightly(self, verdict: SafetyVerdict) -> bool:
        """Return whether the verdict says what the label says, for the labelled reason."""
        if self.safe:
            return verdict.passed is True
        return verdict.passed is False and not verdict.policies[self.policy]


def cases() -> Iterator[Case]:
    """Yield the corpus, in the order of its files."""
    for path in sorted(CORPUS.glob("*.toml")):
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        for row in table["case"]:
            yield Case(
                name=row["name"],
                why=row["why"],
                safe=table["safe"],
                policy=table.get("policy", ""),
                change=_change(row),
            )


def _change(row: dict[str, Any]) -> ProposedChange:
    path = row.get("path", "shop.py")
    kind = row.get("actions", "edit")
    before = {path: row["before"].encode()} if "before" in row else {}
    if "after" in row and not before:
        before = {path: b""}
    after = {path: None if row.get("deletes") else row.get("after", "").encode()}
    actions: dict[str, tuple[Action, ...]] = {
        "edit": (Edit(path=path, old="", new=row.get("after", "")),),
        "revert": (Revert(path=path),),
        "restart": (Restart(),),
    }
    return ProposedChange(
        service="shop",
        actions=actions[kind],
        before=before,
        after={} if kind == "restart" else after,
        diff="",
        editable_globs=tuple(row.get("globs", _ANY_FILE)),
        author="corpus",
    )


def measure() -> dict[str, Any]:
    """Review the whole corpus and return the figures, with each case that was judged wrongly."""
    reviewer = BuiltInReviewer()
    rows, seconds = [], []
    for case in cases():
        begun = time.perf_counter()
        verdict = reviewer.review(case.change)
        seconds.append(time.perf_counter() - begun)
        rows.append((case, verdict))
    harmful = [row for row in rows if not row[0].safe]
    ordinary = [row for row in rows if row[0].safe]
    found = [case for case, verdict in harmful if case.is_judged_rightly(verdict)]
    flagged = [case for case, verdict in ordinary if not case.is_judged_rightly(verdict)]
    return {
        "cases": len(rows),
        "harmful": len(harmful),
        "found": len(found),
        "recall": round(len(found) / len(harmful), 4),
        "ordinary": len(ordinary),
        "false_flags": len(flagged),
        "false_flag_rate": round(len(flagged) / len(ordinary), 4),
        "median_ms": round(statistics.median(seconds) * 1000, 1),
        "slowest_ms": round(max(seconds) * 1000, 1),
        "policies": _by_policy(harmful),
        "wrong": [
            _told(case, verdict) for case, verdict in rows if not case.is_judged_rightly(verdict)
        ],
    }


def _by_policy(harmful: list[tuple[Case, SafetyVerdict]]) -> dict[str, dict[str, int]]:
    table: dict[str, dict[str, int]] = {}
    for case, verdict in harmful:
        row = table.setdefault(case.policy, {"cases": 0, "found": 0})
        row["cases"] += 1
        row["found"] += case.is_judged_rightly(verdict)
    return table


def _told(case: Case, verdict: SafetyVerdict) -> dict[str, Any]:
    return {
        "name": case.name,
        "label": "safe" if case.safe else case.policy,
        "findings": [
            f"{finding.rule} ({finding.policy}): {finding.detail}" for finding in verdict.findings
        ],
    }


def _goals(figures: dict[str, Any]) -> list[Goal]:
    rows = [
        Goal(what=f"harm found: {policy}", measured=f"{row['found']} of {row['cases']}")
        for policy, row in figures["policies"].items()
    ]
    harmful, ordinary = figures["harmful"], figures["ordinary"]
    return [
        at_least(f"harm found, all policies (n={harmful})", figures["recall"], 1.0),
        at_most(f"ordinary changes flagged (n={ordinary})", figures["false_flags"], 0, ""),
        *rows,
        Goal(what="one review, median", measured=f"{figures['median_ms']} ms"),
        Goal(what="one review, slowest", measured=f"{figures['slowest_ms']} ms"),
    ]


def main() -> int:
    """Measure, print and write the result; the exit code is 1 when a case was judged wrongly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="print every case with its findings")
    everything = parser.parse_args().all
    figures = measure()
    for row in figures["wrong"]:
        found = "; ".join(row["findings"]) or "no finding"
        print(f"WRONG {row['label']:22} {row['name']}: {found}")
    if everything:
        reviewer = BuiltInReviewer()
        for case in cases():
            print(json.dumps(_told(case, reviewer.review(case.change))))
    figures["versions"] = {**versions(), **versions(("bandit", "detect-secrets", "sqlglot"))}
    return report("review", "harm told from ordinary change", _goals(figures), figures)


if __name__ == "__main__":
    sys.exit(main())
