"""A whole AgentOps as its user starts it, for measurements and for the test of the main job; only the outside is used."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
START_LIMIT, HEAL_LIMIT = 120.0, 60.0


def wait_for(what: Callable[[], Any], *, limit: float, every: float = 0.1) -> Any:
    """Return the first true value of `what`; fail when the limit (seconds) is over."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(every)
    raise AssertionError(f"not within {limit} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """A whole AgentOps in a data folder of its own, started by the command of the README."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data, self.port = data, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ
        } | {"AGENTOPS_DATA": str(data), **environment}
        self.output: Path = data.with_suffix(".out")
        self.process: subprocess.Popen[bytes] | None = None
        self.tokens: dict[str, str] = {}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(ROOT / "agentops"), *words]

    def start(self) -> None:
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(  # noqa: S603
                self.command("up", "--port", str(self.port), "--demo"),
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=ROOT,
                start_new_session=True,
            )
        wait_for(self._is_up, limit=START_LIMIT)

    def _is_up(self) -> bool:
        assert self.process
        assert self.process.poll() is None, self.output.read_text()
        return "AgentOps is running" in self.output.read_text()

    def stop(self) -> float:
        """Stop it as Ctrl-C does and return how long that took, in seconds."""
        assert self.process
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return time.monotonic() - begun

    def manage(self, *words: str) -> str:
        done = subprocess.run(  # noqa: S603
            self.command("manage", *words),
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.strip()

    def call(
        self, person: str, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Call the API as a demo person and return status and JSON."""
        if person not in self.tokens:
            self.tokens[person] = self.manage("create_api_token", f"{person}@example.com")
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/api/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.tokens[person]}",
                "Content-Type": "application/json",
            },
        )
        return sent(request)

    def shop(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Call the watched shop directly."""
        address = self.call("shweta", "GET", "services/shop")[1]["address"]
        request = urllib.request.Request(  # noqa: S310
            f"{address}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        return sent(request)

    def incident(self, *statuses: str) -> dict[str, Any]:
        """Wait until the newest incident has one of these statuses, and return it whole."""

        def found() -> dict[str, Any] | None:
            items = self.call("shweta", "GET", "incidents")[1]["items"]
            if not items or items[0]["status"] not in statuses:
                return None
            whole = self.call("shweta", "GET", f"incidents/{items[0]['id']}")[1]
            return dict(whole)

        return dict(wait_for(found, limit=HEAL_LIMIT))

    def answers(self, url: str, *, timeout: float) -> bool:
        """Say whether an address answers well in time."""
        try:
            with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310
                return int(answer.status) < 400
        except OSError:
            return False

    def healthy(self) -> bool:
        return bool(self.call("shweta", "GET", "services/shop")[1]["health"] == "healthy")


def sent(request: urllib.request.Request) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return int(error.code), json.loads(error.read() or b"{}")
    except OSError:
        return 0, {}
