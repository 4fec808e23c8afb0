"""How soon a failure becomes an incident: errors, hangs and process exits, at intervals of 1 s and 5 s.

Run `./agentops bench detect [--services 8]`. Small servers in this process fail on command, spread over their
interval; the time of an incident is the one in its row. The exits are SIGKILLs of the demo shop. Where Prometheus and its
Alertmanager are installed, the same servers fail for these afterwards, on a machine that has nothing else to do.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from datetime import datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench import _prometheus
from bench._report import Goal, at_most, percentile, report
from bench._stack import Stack, wait_for

TIMEOUT = 2.0
GROWN_UP = 31
"""From so many probes on (one more than `monitoring.claims.EARLY_PROBES`) a service without a snapshot is asked at its own interval only."""
ROUNDS = {1.0: 4, 5.0: 2}
EXITS = 20
ENDED = {"RESOLVED", "RECOVERED", "REJECTED", "CLOSED"}


class _Quiet(ThreadingHTTPServer):
    """A server that says nothing when a prober that gave up has gone before the late answer."""

    def handle_error(self, *_: object) -> None:
        """Ignore it: the hang was ordered."""


class Patient:
    """A tiny service that answers well until it is told to fail or to hang."""

    def __init__(self, interval: float, number: int) -> None:
        self.interval, self.slug = interval, f"patient-{interval:.0f}-{number}"
        self.failure = ""
        self.hang = threading.Event()
        self.hang.set()
        self.asked = threading.Event()
        self.times_asked, self._last = 0, 0.0
        patient = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                patient._note()
                patient.hang.wait(10)
                failure = patient.failure
                body: dict[str, Any] = {"status": "ok"}
                if failure:
                    body = {"error": {"type": failure, "detail": "told to fail"}}
                metrics = self.path == "/metrics"
                data = b"up_since 1\n" if metrics else json.dumps(body).encode()
                self.send_response(500 if failure else 200)
                kind = "text/plain; version=0.0.4" if metrics else "application/json"
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.server = _Quiet(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        """Return where it listens."""
        return int(self.server.server_port)

    def _note(self) -> None:
        """Take in that it was asked; in its turn is what comes an interval after the last: a failure is looked into meanwhile."""
        now = time.monotonic()
        if now - self._last > 0.8 * self.interval:
            self.asked.set()
        self.times_asked, self._last = self.times_asked + 1, now

    def wait(self, seconds: float) -> None:
        """Return this long after it is asked the next time in its turn."""
        self.asked.clear()
        self.asked.wait(self.interval * 4)
        time.sleep(seconds)

    def definition(self, directory: str) -> dict[str, Any]:
        """Return what a manager posts to have it watched."""
        return {
            "name": self.slug,
            "slug": self.slug,
            "directory": directory,
            "command": ["true"],
            "port": self.port,
            "health_path": "/health",
            "editable_globs": ["*.py"],
            "autonomy": "observe",
            "interval": self.interval,
            "timeout": TIMEOUT,
        }


def main() -> int:
    """Measure all three kinds and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=8)
    count = parser.parse_args().services
    with tempfile.TemporaryDirectory(prefix="agentops-detect-") as folder:
        stack = Stack(Path(folder) / "data")
        stack.start()
        try:
            patients = [Patient(interval, n) for interval in ROUNDS for n in range(count)]
            _register(stack, patients, folder)
            errors = _measure(stack, patients, hang=False)
            hangs = _measure(stack, [p for p in patients if p.interval == 1.0], hang=True)
            exits = [_exit(stack) for _ in range(EXITS)]
        finally:
            stack.stop()
    peer = _peer([p for p in patients if p.interval == max(ROUNDS)])
    details = {"errors": errors, "hangs": hangs, "exits": exits, "peer": peer}
    goals = _goals(errors, hangs, exits) + _beside(peer)
    return report("detect", "fault to incident row", goals, details)


def _peer(patients: list[Patient]) -> list[float]:
    """Return the peer's seconds from fault to alert; none where it is not installed."""
    if not _prometheus.is_installed():
        print("Prometheus and its Alertmanager are not installed: nothing is measured beside ours.")
        return []
    longest = max(ROUNDS)
    waits = phases(longest, [ROUNDS[longest]] * len(patients))
    return _prometheus.seconds_to_alert(patients, waits, interval=longest, timeout=TIMEOUT)


def _beside(peer: list[float]) -> list[Goal]:
    what = f"Prometheus with Alertmanager at {max(ROUNDS):.0f} s: alert, "
    return [
        Goal(what=f"{what}{name} (n={len(peer)})", measured=f"{percentile(peer, share):.3g} s")
        for name, share in (("p50", 0.5), ("p95", 0.95))
        if peer
    ]


def _register(stack: Stack, patients: list[Patient], directory: str) -> None:
    for patient in patients:
        body = patient.definition(directory)
        status, answer = stack.call("manager", "POST", "services", body)
        assert status < 300, answer
    wait_for(stack.healthy, limit=60)
    for patient in patients:
        wait_for(partial(_is_healthy, stack, patient.slug), limit=60)
    wait_for(lambda: all(one.times_asked >= GROWN_UP for one in patients), limit=180, every=0.25)


def _is_healthy(stack: Stack, slug: str) -> bool:
    return bool(stack.call("shweta", "GET", f"services/{slug}")[1]["health"] == "healthy")


def _measure(stack: Stack, patients: list[Patient], *, hang: bool) -> dict[str, list[float]]:
    """Let every patient fail its rounds, all at once but each at its own moment; return seconds by interval."""
    times: dict[str, list[float]] = {}
    lock = threading.Lock()

    def fail(patient: Patient, waits: list[float]) -> None:
        for number, wait in enumerate(waits):
            patient.wait(wait)
            took = _one(stack, patient, f"Told{'Hang' if hang else 'Fail'}{number}", hang=hang)
            with lock:
                times.setdefault(f"{patient.interval:.0f}", []).append(took)

    threads = []
    for interval, rounds in ROUNDS.items():
        group = [patient for patient in patients if patient.interval == interval]
        waits = phases(interval, [1 if hang else rounds] * len(group))
        threads += [
            threading.Thread(target=fail, args=one) for one in zip(group, waits, strict=True)
        ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def phases(interval: float, rounds: list[int]) -> list[list[float]]:
    """Return how long after a probe each service is to fail: random, but spread evenly over the interval by all together.

    With a few dozen free draws the median alone would move by a tenth of the interval from run to run.
    """
    count = sum(rounds)
    spread = [(number + random.random()) / count * interval for number in range(count)]  # noqa: S311 - no secret
    random.shuffle(spread)
    return [[spread.pop() for _ in range(number)] for number in rounds]


def _one(stack: Stack, patient: Patient, failure: str, *, hang: bool) -> float:
    """Fail once, now; return the seconds from the fault to the row, well again afterwards."""
    known = _entries(stack, patient.slug)
    begun = time.time()
    if hang:
        patient.hang.clear()
    else:
        patient.failure = failure
    limit = patient.interval * 2 + TIMEOUT + 10
    new = wait_for(lambda: _entries(stack, patient.slug)[len(known) :], limit=limit)
    patient.failure = ""
    patient.hang.set()
    wait_for(partial(_is_healthy, stack, patient.slug), limit=60)
    return float(new[0] - begun)


def _entries(stack: Stack, slug: str) -> list[float]:
    """Return the moments at which failures of a service were taken up, oldest first."""
    items = stack.call("shweta", "GET", f"incidents?service={slug}")[1]["items"]
    moments = []
    for item in items:
        whole = stack.call("shweta", "GET", f"incidents/{item['id']}")[1]
        moments += [
            datetime.fromisoformat(entry["at"]).timestamp()
            for entry in whole["timeline"]
            if entry["kind"] in {"detected", "reopened", "relapse"}
        ]
    return sorted(moments)


def _exit(stack: Stack) -> float:
    """Kill the shop's process; return the seconds to the row, with the shop restored afterwards."""
    wait_for(stack.healthy, limit=60)
    state = stack.data / "run" / "services" / "shop" / "state.json"
    known = _entries(stack, "shop")
    pid = int(json.loads(state.read_text())["pid"])
    begun = time.time()
    os.kill(pid, signal.SIGKILL)
    # The moment stands in the row: to ask often would only take the processor from those who are to act.
    new = wait_for(lambda: _entries(stack, "shop")[len(known) :], limit=30, every=0.25)
    stack.call("shweta", "POST", "services/shop/restore")
    _approve_or_recover(stack)
    return float(new[0] - begun)


def _approve_or_recover(stack: Stack) -> None:
    """Have the shop back by the approved restart, so that the next kill finds it running."""

    def settled() -> bool:
        items = stack.call("shweta", "GET", "incidents?service=shop")[1]["items"]
        # All of them: one that is still open would take the next kill for more of the same.
        waiting = [item["id"] for item in items if item["status"] not in ENDED]
        for pk in waiting:
            whole = stack.call("shweta", "GET", f"incidents/{pk}")[1]
            if whole["status"] in {"AWAITING_APPROVAL", "ESCALATED"} and whole["fix"]:
                body = {"fix_digest": whole["fix"]["digest"]}
                stack.call("shweta", "POST", f"incidents/{pk}/approve", body)
        return not waiting and stack.healthy()

    wait_for(settled, limit=60)


def _goals(
    errors: dict[str, list[float]], hangs: dict[str, list[float]], exits: list[float]
) -> list[Goal]:
    goals = []
    for interval, times in sorted(errors.items()):
        i, n = float(interval), len(times)
        half = percentile(times, 0.5)
        goals.append(at_most(f"error at {interval} s, p50 (n={n})", half, 0.55 * i, "s"))
        goals.append(
            at_most(f"error at {interval} s, p95 (n={n})", percentile(times, 0.95), i + 0.25, "s")
        )
    for interval, times in hangs.items():
        limit = float(interval) + TIMEOUT + 0.3
        p95 = percentile(times, 0.95)
        goals.append(at_most(f"hang at {interval} s, p95 (n={len(times)})", p95, limit, "s"))
    p95 = percentile(exits, 0.95)
    goals.append(at_most(f"process exit, p95 (n={len(exits)})", p95, 0.05, "s"))
    return goals


if __name__ == "__main__":
    sys.exit(main())
