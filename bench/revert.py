"""Revert-Bench: are the faulty changes found among many, and proved to be the fewest; are bad fixes undone?

Run `./agentops bench revert [--cases N] [--undos N]`. No model takes part. Every case is the real demo shop with one to three faults
among up to 60 changes; the oracle is the receipt of real isolated copies. The second part deploys seeded bad fixes, over all
objections as a lead could, to a running shop, and looks whether the exact bytes before come back.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench._alone import prepare
from bench._report import Goal, at_least, at_most, report
from bench._revert_cases import Case, cases

MEDIAN, SLOWEST = 5.0, 15.0


def main() -> int:
    """Measure both parts and report; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000, help="only the first so many cases")
    parser.add_argument("--undos", type=int, default=20)
    chosen = parser.parse_args()
    prepare()
    try:
        rows = [_measured(case) for case in list(cases())[: chosen.cases]]
        undone = undos(chosen.undos) if chosen.undos else []
    finally:
        shutil.rmtree(os.environ["AGENTOPS_DATA"], ignore_errors=True)
    return report(
        "revert",
        "the faulty changes among many",
        _goals(rows, undone),
        {"cases": rows, "undos": undone},
    )


def _measured(case: Case) -> dict[str, Any]:
    row = search(case)
    mark = "ok " if row["right"] and row["proved"] else "BAD"
    print(
        f"{mark} {row['seconds']:6.2f} s {row['copies']:4} copies  {case.name}  {row['said']}",
        flush=True,
    )
    return row


def search(case: Case) -> dict[str, Any]:
    """Search one case from nothing but the evidence, and compare what was found with the truth."""
    from incidents.engine.facts import Facts
    from incidents.engine.reverts import pieces_of
    from incidents.pipeline.experiments import find_minimal
    from incidents.pipeline.laboratory import Laboratory
    from incidents.providers import tools

    folder = Path(tempfile.mkdtemp(prefix="agentops-revert-"))
    try:
        incident = _incident(case, folder)
        pack = _pack(case, incident)
        begun = time.monotonic()
        with ThreadPoolExecutor(max_workers=4) as pool:
            room = Laboratory(incident, tools(), pack, pool)
            finding = find_minimal(room, [])
        seconds = time.monotonic() - begun
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    truth = {piece.id for piece in pieces_of(Facts(replace(pack, current=case.faults_only)))}
    return {
        "name": case.name,
        "faults": len(case.faults),
        "among": 0 if finding is None else len(finding.pieces),
        "right": finding is not None and set(finding.found) == truth,
        "proved": finding is not None and finding.result.proved,
        "copies": 0 if finding is None else finding.result.calls,
        "seconds": round(seconds, 3),
        "said": "nothing to ask"
        if finding is None
        else ", ".join(finding.names()) or finding.result.why,
    }


def _incident(case: Case, folder: Path) -> Any:
    from incidents.models import Incident
    from monitoring.models import Service

    for name, data in case.broken.items():
        (folder / name).write_bytes(data)
    service = Service(
        pk=1,
        name="Shop",
        slug="shop",
        directory=str(folder),
        command=["python3", "server.py", "{port}"],
        port=1,
        editable_globs=["*.py", "config.json"],
        data_globs=["data/**"],
        smoke_requests=[{"path": path} for path in case.paths],
        timeout=1.0,
    )
    return Incident(pk=1, service=service, failure={})


def _pack(case: Case, incident: Any) -> Any:
    """Gather the evidence as probes and the recorder would have it: run the service once as it is, and once as it was."""
    from incidents.pipeline.proving import Asked, Version, run_copy
    from incidents.providers import tools
    from incidents.values import EvidencePack, Exchange, Failure
    from monitoring.values import HttpRequest, ProcessState

    requests = [HttpRequest(path=path) for path in ("/health", *case.paths)]
    copies = [
        run_copy(
            incident,
            tools(),
            Version(name=name, tree=tree, environment={}, patience=1.0),
            Asked(requests=requests),
        )
        for name, tree in (("as-is", case.broken), ("as-was", case.good))
    ]
    broken, good = copies
    verdicts = [
        _verdict(r, a, g) for r, a, g in zip(requests, broken.answers, good.answers, strict=True)
    ]
    first = next((verdict for verdict in verdicts if verdict), {"symptom": "no_process"})
    up = broken.startup.answered
    failing = [
        r for r, verdict in zip(requests, verdicts, strict=True) if verdict and r.path != "/health"
    ]
    return EvidencePack(
        service="Shop",
        directory=incident.service.directory,
        is_python=True,
        failure=Failure(**first)
        if up
        else Failure(symptom="no_process", error_type="exit 1", path="/health"),
        items=(),
        process=ProcessState(phase="running") if up else ProcessState(phase="exited", exit_code=1),
        log_tail=broken.startup.log_tail,
        stacks="",
        current=case.broken,
        last_good=case.good,
        environment={},
        last_good_environment={},
        editable_globs=("*.py", "config.json"),
        failing=tuple(Exchange(request=request, good=False, source="smoke") for request in failing),
    )


def _verdict(request: Any, answer: Any, right: Any) -> dict[str, Any] | None:
    """Return the failing observation as a probe would store it, None when the answer is as it was."""
    from incidents.engine import replay
    from incidents.values import Failure
    from monitoring.judging import Question, judge

    seen = judge(
        answer, Question(request=request, slow_ms=1500.0, health=request.path == "/health")
    )
    names = Failure.__dataclass_fields__
    if seen.health != "healthy":
        return {name: getattr(seen, name) for name in names}
    if request.path != "/health" and not replay.same(right, answer):
        return {"symptom": "wrong_answer", "path": request.path, "status": answer.status}
    return None


def undos(count: int) -> list[dict[str, Any]]:
    """Deploy so many bad fixes to a real shop and return for each whether the bytes before came back."""
    from django.conf import settings

    from bench._undo import Undoing

    settings.VERIFY_TIMEOUT_SECONDS = 2.0
    folder = Path(tempfile.mkdtemp(prefix="agentops-undo-"))
    rows = []
    try:
        with Undoing(folder / "shop") as shop:
            for number in range(count):
                rows.append(shop.deploy_bad(number))
                print(
                    f"{'ok ' if rows[-1]['undone'] else 'BAD'} undo {number}: {rows[-1]['outcome']}",
                    flush=True,
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return rows


def _goals(rows: list[dict[str, Any]], undone: list[dict[str, Any]]) -> list[Goal]:
    times = [row["seconds"] for row in rows]
    right = sum(row["right"] and row["proved"] for row in rows)
    goals = [
        at_least("cases", len(rows), 30),
        at_least("found and proved minimal", right / len(rows), 1.0),
        at_most("median time to the proof", statistics.median(times), MEDIAN, "s"),
        at_most("slowest", max(times), SLOWEST, "s"),
    ]
    if undone:
        back = sum(row["undone"] for row in undone)
        goals.append(at_least(f"bad fixes undone of {len(undone)}", back, len(undone)))
    return goals


if __name__ == "__main__":
    sys.exit(main())
