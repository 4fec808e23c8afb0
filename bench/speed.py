"""How fast it heals: fault to incident, to decision, to a healthy answer and to RESOLVED, with the whole stack running.

Run `./agentops bench speed [--rounds 5]`. A blocker is approved the moment it asks, so that no person's time is in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from bench._report import Goal, at_most, percentile, report
from bench._stack import Stack, wait_for

FAULTS = {"bug": 4.0, "bad_config": 4.0, "slow": 7.0, "crash": 1.0}
"""Each fault with the promised seconds from fault to healthy at the 5 s interval, median."""

ENDS = {"RESOLVED", "RECOVERED", "REJECTED", "CLOSED"}
LOOK_SECONDS = 0.03


def main() -> int:
    """Measure every fault some rounds and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="agentops-speed-") as folder:
        stack = Stack(Path(folder) / "data")
        stack.start()
        try:
            ready(stack)
            runs = [measure(stack, fault) for _ in range(rounds) for fault in FAULTS]
        finally:
            stack.stop()
    return report("speed", "from fault to healthy", _goals(runs), {"runs": runs})


def ready(stack: Stack) -> None:
    """Wait until the shop is healthy and its files are last known good."""
    wait_for(stack.healthy, limit=60)
    wait_for(lambda: stack.call("shweta", "GET", "services/shop")[1]["last_known_good"], limit=60)


def measure(stack: Stack, fault: str) -> dict[str, Any]:
    """Inject one fault, approve what asks, and return the seconds of each stretch."""
    ready(stack)
    healthy: list[float] = []
    stop = threading.Event()
    address = stack.call("shweta", "GET", "services/shop")[1]["address"]
    begun = time.time()
    status, answer = stack.call("shweta", "POST", "services/shop/faults", {"fault": fault})
    assert status < 300, answer
    watcher = threading.Thread(target=_watch, args=(stack, address, healthy, stop), daemon=True)
    watcher.start()
    try:
        incident = _to_its_end(stack)
    finally:
        stop.set()
        watcher.join()
    stack.call("shweta", "POST", "services/shop/restore")
    return {"fault": fault, **_stretches(incident, begun, healthy)}


def _watch(stack: Stack, address: str, healthy: list[float], stop: threading.Event) -> None:
    """Note when the shop answers well again after it had failed."""
    failed = False
    while not stop.is_set():
        good = stack.answers(f"{address}/health", timeout=0.5)
        if failed and good:
            healthy.append(time.time())
            return
        failed = failed or not good
        time.sleep(LOOK_SECONDS)


def _to_its_end(stack: Stack) -> dict[str, Any]:
    """Find the open incident (a new one, or one that came back), approve it when it asks, return it when it is resolved.

    The looks are some way apart: on two cores a busy observer is part of what it measures.
    """
    followed: list[int] = []

    def found() -> bool:
        items = stack.call("shweta", "GET", "incidents")[1]["items"]
        followed.extend(one["id"] for one in items if one["status"] not in ENDS)
        return bool(followed)

    def ended() -> dict[str, Any] | None:
        whole: dict[str, Any] = stack.call("shweta", "GET", f"incidents/{followed[0]}")[1]
        if whole["status"] == "AWAITING_APPROVAL":
            body = {"fix_digest": whole["fix"]["digest"]}
            stack.call("shweta", "POST", f"incidents/{whole['id']}/approve", body)
        return whole if whole["status"] in ENDS else None

    wait_for(found, limit=60, every=LOOK_SECONDS)
    incident = dict(wait_for(ended, limit=60, every=LOOK_SECONDS))
    assert incident["status"] == "RESOLVED", incident["status"]
    return incident


def _stretches(incident: dict[str, Any], begun: float, healthy: list[float]) -> dict[str, float]:
    times = [
        (one["kind"], datetime.fromisoformat(one["at"]).timestamp()) for one in incident["timeline"]
    ]
    at = {kind: moment for kind, moment in times if moment >= begun}
    opened = at.get("reopened") or at["detected"]
    permitted = at.get("approve", at["decided"])
    back = healthy[0] if healthy else at["verified"]
    return {
        "to_incident": opened - begun,
        "incident_to_decision": at["decided"] - opened,
        "permission_to_healthy": back - permitted,
        "healthy_to_resolved": at["verified"] - back,
        "fault_to_healthy": back - begun,
    }


def _goals(runs: list[dict[str, Any]]) -> list[Goal]:
    instant = [run for run in runs if run["fault"] != "slow"]
    goals = [
        at_most(
            "incident to decision, p95 (failure answers at once)",
            percentile([run["incident_to_decision"] for run in instant], 0.95),
            0.8,
            "s",
        ),
        at_most(
            "decision or approval to a healthy answer, p95",
            percentile([run["permission_to_healthy"] for run in runs], 0.95),
            0.6,
            "s",
        ),
        at_most(
            "healthy answer to RESOLVED, p95",
            percentile([run["healthy_to_resolved"] for run in runs], 0.95),
            1.0,
            "s",
        ),
    ]
    for fault, limit in FAULTS.items():
        times = [run["fault_to_healthy"] for run in runs if run["fault"] == fault]
        goals.append(
            at_most(f"{fault}: fault to healthy, median", percentile(times, 0.5), limit, "s")
        )
    return goals


if __name__ == "__main__":
    sys.exit(main())
