"""Runs a copy of the target shop as a real process and talks to it over HTTP."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[2] / "target_app"
LIMIT_SECONDS = 15.0
MUG_CENTS = 1850
MUG_STOCK = 240


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def error(self) -> Any:
        return self.json["error"]


@dataclass
class Shop:
    """One copy of target_app in its own directory; `start` may be called again after `kill`."""

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    port: int = 0

    @classmethod
    def copied_to(cls, directory: Path, **environment: str) -> Shop:
        shutil.copytree(SOURCE, directory, ignore=shutil.ignore_patterns("data", "__pycache__"))
        return cls(directory, environment)

    @property
    def log_path(self) -> Path:
        return self.directory.with_suffix(".log")

    def log(self) -> str:
        return self.log_path.read_text() if self.log_path.exists() else ""

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log().splitlines() if line.startswith('{"time"')]

    def start(self, port: int = 0) -> Shop:
        """Start the process and wait until it listens."""
        self.log_path.write_text("")
        with self.log_path.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, "server.py", str(port)],
                cwd=self.directory,
                env={**os.environ, **self.environment},
                stdout=output,
                stderr=output,
            )
        wait_for(self._listens, f"the shop did not start: {self.log()}")
        return self

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the shop ended: {self.log()}"
        started = [event for event in self.events() if event["event"] == "started"]
        if started:
            self.port = started[0]["port"]
        return bool(started)

    def kill(self) -> None:
        """End the process as the out-of-memory killer does."""
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(LIMIT_SECONDS)

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request; `body` is sent as JSON, or as it is when it is bytes."""
        sent = {"Content-Type": "application/json"} if body is not None else {}
        payload = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_SECONDS)
        try:
            connection.request(method, path, body=payload, headers={**sent, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.call("GET", path)

    def buy(self, key: str | None = None, **changes: object) -> Answer:
        headers = {"Idempotency-Key": key} if key else {}
        return self.call("POST", "/api/checkout", purchase(**changes), headers)

    def stock(self, product_id: str) -> int:
        return int(self.get(f"/api/products/{product_id}").json["stock"])

    def edit_config(self, change: Callable[[dict[str, Any]], object]) -> None:
        path = self.directory / "config.json"
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document, indent=2))

    def replace(self, name: str, old: str, new: str) -> None:
        """Edit a source file, as a bad deploy does."""
        path = self.directory / name
        text = path.read_text()
        assert text.count(old) == 1, f"{name} does not hold this once: {old}"
        path.write_text(text.replace(old, new))


def purchase(**changes: object) -> dict[str, Any]:
    """Return a valid purchase of one mug, with the given top-level changes."""
    return {
        "items": [{"product_id": "stoneware-mug", "quantity": 1}],
        "customer": {"name": "Nora Lindqvist", "email": "nora@example.com"},
        "address": {"line1": "Hafenstr. 1", "city": "Hamburg", "postcode": "1", "country": "DE"},
        "payment": {"method": "test_card", "token": "tok_ok"},
        **changes,
    }


def items(product_id: str, quantity: object) -> list[dict[str, object]]:
    return [{"product_id": product_id, "quantity": quantity}]


def wait_for(condition: Callable[[], bool], failure: str) -> None:
    """Wait until a condition holds; fail after the limit."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, failure
        time.sleep(0.01)
