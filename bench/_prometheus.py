"""Prometheus with Alertmanager as a peer: how soon a failing scrape becomes an alert at a webhook.

Taken when Debian's packages `prometheus` and `prometheus-alertmanager` are there. Set up as quick as it can be at an interval:
scrapes and rules at that interval, no `for`, no waiting for a group. Keys and flags: the manuals of the two at these versions.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol

from bench._stack import free_port, wait_for

PROGRAMS = ("prometheus", "prometheus-alertmanager")
LIMIT = 60.0
SCRAPES = """\
global: {{scrape_interval: {interval}s, scrape_timeout: {timeout}s, evaluation_interval: {interval}s}}
rule_files: [rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{manager}"]}}]}}]}}
scrape_configs: [{{job_name: patients, static_configs: [{{targets: {targets}}}]}}]
"""
RULES = "groups: [{name: patients, rules: [{alert: Failing, expr: up == 0}]}]\n"
ROUTES = """\
route: {{receiver: bench, group_by: ["..."], group_wait: 0s, group_interval: 1s}}
receivers: [{{name: bench, webhook_configs: [{{url: "http://127.0.0.1:{hook}/", send_resolved: true}}]}}]
"""


class Target(Protocol):
    """What is scraped at /metrics: an error while `failure` is set. `wait` returns some seconds after its next scrape."""

    failure: str

    @property
    def port(self) -> int: ...

    def wait(self, seconds: float) -> None: ...


class _Hook:
    """Takes the alerts in and keeps when each came: (port of the target, "firing" or "resolved") -> moments."""

    def __init__(self) -> None:
        self.came: dict[tuple[int, str], list[float]] = {}
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                for alert in body["alerts"]:
                    port = int(alert["labels"]["instance"].rpartition(":")[2])
                    hook.came.setdefault((port, alert["status"]), []).append(time.time())
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def since(self, port: int, status: str, begun: float) -> list[float]:
        """Return when alerts of a target came since a moment."""
        return [moment for moment in self.came.get((port, status), []) if moment >= begun]


def is_installed() -> bool:
    """Return whether both programs are on the path."""
    return all(shutil.which(program) for program in PROGRAMS)


def seconds_to_alert(
    targets: Sequence[Target], waits: Sequence[list[float]], *, interval: float, timeout: float
) -> list[float]:
    """Let every target fail some seconds after a scrape, by turns; return the seconds from each fault to its alert."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agentops-peer-")))
        hook = _Hook()
        stack.callback(hook.server.shutdown)
        port, manager = free_port(), free_port()
        names = json.dumps([f"127.0.0.1:{target.port}" for target in targets])
        (folder / "prometheus.yml").write_text(
            SCRAPES.format(interval=f"{interval:g}", timeout=f"{timeout:g}", manager=manager, targets=names)
        )  # fmt: skip
        (folder / "rules.yml").write_text(RULES)
        (folder / "routes.yml").write_text(ROUTES.format(hook=hook.server.server_port))
        for command in _commands(folder, port, manager):
            child = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)  # noqa: S603
            stack.callback(_end, child)
        wait_for(lambda: _answers(f"http://127.0.0.1:{manager}/-/ready"), limit=LIMIT)
        wait_for(lambda: _up(port) == len(targets), limit=LIMIT)
        return _failed_by_turns(targets, waits, hook)


def _commands(folder: Path, port: int, manager: int) -> list[list[str]]:
    scraper, router = PROGRAMS
    return [
        [scraper, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/series",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"],
        [router, f"--config.file={folder}/routes.yml", f"--storage.path={folder}/alerts", "--log.level=error",
         f"--web.listen-address=127.0.0.1:{manager}", "--cluster.listen-address="],
    ]  # fmt: skip


def _failed_by_turns(
    targets: Sequence[Target], waits: Sequence[list[float]], hook: _Hook
) -> list[float]:
    times: list[float] = []

    def fail(target: Target, mine: list[float]) -> None:
        for wait in mine:
            target.wait(wait)
            begun = time.time()
            target.failure = "ToldFail"
            times.append(_first(hook, target.port, "firing", begun) - begun)
            target.failure = ""
            _first(hook, target.port, "resolved", begun)

    threads = [threading.Thread(target=fail, args=one) for one in zip(targets, waits, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _first(hook: _Hook, port: int, status: str, begun: float) -> float:
    found: Callable[[], list[float]] = lambda: hook.since(port, status, begun)  # noqa: E731
    return float(wait_for(found, limit=LIMIT)[0])


def _answers(address: str) -> Any:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:  # noqa: S310 - the loopback
            return json.loads(body) if (body := answer.read()).startswith(b"{") else True
    except OSError:
        return None


def _up(port: int) -> int:
    """Return how many targets were scraped well the last time."""
    said = _answers(f"http://127.0.0.1:{port}/api/v1/query?query=up") or {"data": {"result": []}}
    return sum(row["value"][1] == "1" for row in said["data"]["result"])


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    child.wait(20)
