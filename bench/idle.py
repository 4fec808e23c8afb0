"""What the whole stack costs while nothing happens, and how soon a second start is watching.

Run `./agentops bench idle [--seconds 60]`. CPU is the process tree's own time; memory is PSS (shared pages counted once).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import psutil

from bench._report import Goal, at_most, report
from bench._stack import Stack, wait_for

SETTLE_SECONDS = 15.0


def main() -> int:
    """Start twice, rest, measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="agentops-idle-") as folder:
        stack = Stack(Path(folder) / "data")
        stack.start()
        wait_for(stack.healthy, limit=60)
        stack.stop()
        begun = time.monotonic()
        stack.start()
        wait_for(stack.healthy, limit=60, every=0.02)
        started = time.monotonic() - begun
        try:
            time.sleep(
                SETTLE_SECONDS
            )  # caches fill and the first minute's jobs run: that is no rest yet
            cores, shares = _cpu(stack, seconds)
            memory = _memory(stack)
        finally:
            stopping = stack.stop()
    goals = [
        at_most("CPU of the whole stack, one service", cores * 100, 3, "% of a core"),
        at_most("memory (PSS) of the whole stack", sum(memory.values()), 450, "MB"),
        at_most("second start to first health answer", started, 6, "s"),
        Goal(what="stop", measured=f"{stopping:.1f} s", goal="<= 10 s", met=stopping <= 10),
    ]
    details = {"cpu_percent_by_process": shares, "pss_mb_by_process": memory, "seconds": seconds}
    return report("idle", "the whole stack at rest", goals, details)


def _tree(stack: Stack) -> list[psutil.Process]:
    """Return every process of the stack: the launcher's children and what was started apart from it."""
    found = []
    for process in psutil.process_iter(["environ", "cmdline"]):
        environment = process.info["environ"] or {}
        words = " ".join(process.info["cmdline"] or [])
        if environment.get("AGENTOPS_DATA") == str(stack.data) or str(stack.data) in words:
            found.append(process)
    return found


def _name(process: psutil.Process) -> str:
    words = process.cmdline()
    known = (
        "agentops_site.serve",
        "-Q probes",
        "-Q agent",
        "beat",
        "watch_processes",
        "valkey",
        "keeper",
        "agentops up",
    )
    line = " ".join(words)
    return next((name for name in known if name in line), words[-1][-30:] if words else "gone")


def _cpu(stack: Stack, seconds: float) -> tuple[float, dict[str, float]]:
    processes = _tree(stack)
    before = {p.pid: sum(p.cpu_times()[:2]) for p in processes}
    begun = time.monotonic()
    time.sleep(seconds)  # the measurement itself
    took = time.monotonic() - begun
    shares: dict[str, float] = {}
    for process in processes:
        if process.is_running():
            used = sum(process.cpu_times()[:2]) - before[process.pid]
            name = _name(process)
            shares[name] = round(shares.get(name, 0.0) + 100 * used / took, 2)
    return sum(shares.values()) / 100, shares


def _memory(stack: Stack) -> dict[str, float]:
    sizes: dict[str, float] = {}
    for process in _tree(stack):
        name = _name(process)
        sizes[name] = round(sizes.get(name, 0.0) + process.memory_full_info().pss / 1e6, 1)
    return sizes


if __name__ == "__main__":
    sys.exit(main())
