"""The main job as its user sees it: `./agentops up` as a real process, and from then on only the API and the files."""

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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[1]
START_LIMIT, HEAL_LIMIT, STOP_LIMIT = 120.0, 60.0, 10.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def wait_for(what: Callable[[], Any], *, limit: float) -> Any:
    """Return the first true value of `what`; fail when the limit (seconds) is over."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {limit} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """A whole AgentOps in a data folder of its own, started by the command of the README."""

    def __init__(self, data: Path) -> None:
        self.data, self.port = data, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ
        } | {"AGENTOPS_DATA": str(data)}
        self.output = data.with_suffix(".out")
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
        return _sent(request)

    def shop(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Call the watched shop directly."""
        address = self.call("shweta", "GET", "services/shop")[1]["address"]
        request = urllib.request.Request(  # noqa: S310
            f"{address}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        return _sent(request)

    def incident(self, *statuses: str) -> dict[str, Any]:
        """Wait until the newest incident has one of these statuses, and return it whole."""

        def found() -> dict[str, Any] | None:
            items = self.call("shweta", "GET", "incidents")[1]["items"]
            if not items or items[0]["status"] not in statuses:
                return None
            whole = self.call("shweta", "GET", f"incidents/{items[0]['id']}")[1]
            return dict(whole)

        return dict(wait_for(found, limit=HEAL_LIMIT))

    def healthy(self) -> bool:
        return bool(self.call("shweta", "GET", "services/shop")[1]["health"] == "healthy")


def _sent(request: urllib.request.Request) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return int(answer.status), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return int(error.code), json.loads(error.read() or b"{}")
    except OSError:
        return 0, {}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Return a running AgentOps with a healthy demo shop and a last known good state."""
    stack = Stack(tmp_path_factory.mktemp("main-job") / "data")
    stack.start()
    try:
        wait_for(stack.healthy, limit=30)
        wait_for(
            lambda: stack.call("shweta", "GET", "services/shop")[1]["last_known_good"], limit=30
        )
        yield stack
    finally:
        if stack.process and stack.process.poll() is None:
            stack.stop()


def order(stack: Stack, key: str) -> str:
    product = stack.shop("/api/products")[1]["items"][-1]["id"]
    body = {
        "items": [{"product_id": product, "quantity": 1}],
        "customer": {"name": "Ada", "email": "ada@example.com"},
        "idempotency_key": key,
    }
    status, answer = stack.shop("/api/orders", body)
    assert status == 201, answer
    return str(answer["id"])


def test_a_bug_heals_by_itself_and_loses_neither_order_nor_edit(stack: Stack) -> None:
    placed = order(stack, "before-the-bug")
    pricing = stack.data / "services" / "shop" / "pricing.py"
    edited = pricing.read_text() + "\n# a colleague's edit\n"
    pricing.write_text(edited)

    status, answer = stack.call("shweta", "POST", "services/shop/faults", {"fault": "bug"})
    assert status in {200, 201, 202}, answer
    incident = stack.incident("RESOLVED")

    assert incident["auto_resolved"] is True
    assert incident["severity"] == "medium"
    assert incident["category"] == "code"
    assert incident["file"] == "handler.py"
    assert incident["confidence"] >= 0.85
    assert incident["trial"]["passed"] is True
    assert incident["trial"]["reproduced"] is True
    assert all(row["passed"] for row in incident["review"])
    assert incident["deployment"]["state"] == "healthy"
    assert pricing.read_text() == edited
    assert stack.shop("/health")[0] == 200
    assert stack.shop(f"/api/orders/{placed}")[0] == 200


def test_a_crash_waits_for_the_lead(stack: Stack) -> None:
    wait_for(stack.healthy, limit=30)
    assert stack.call("shweta", "POST", "services/shop/faults", {"fault": "crash"})[0] < 300
    incident = stack.incident("AWAITING_APPROVAL")
    assert incident["severity"] == "blocker"
    number, digest = incident["id"], incident["fix"]["digest"]
    approve = f"incidents/{number}/approve"

    status, refusal = stack.call("bhumika", "POST", approve, {"fix_digest": digest})
    assert (status, refusal["needed_role"]) == (403, "team_lead")
    assert stack.call("manager", "POST", approve, {"fix_digest": digest})[0] == 403
    assert stack.call("shweta", "POST", approve, {"fix_digest": "0" * 64})[0] == 409
    assert stack.shop("/health")[0] == 0

    assert stack.call("shweta", "POST", approve, {"fix_digest": digest})[0] == 200
    incident = stack.incident("RESOLVED")
    assert incident["id"] == number
    assert incident["auto_resolved"] is False
    assert stack.shop("/health")[0] == 200
    assert stack.call("shweta", "POST", approve, {"fix_digest": digest})[0] == 409


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "services/nothing", None, 404),
        ("GET", "incidents/999999", None, 404),
        ("POST", "services/shop/faults", {"fault": "earthquake"}, 422),
        ("POST", "services/nothing/faults", {"fault": "bug"}, 404),
        ("POST", "incidents/999999/approve", {"fix_digest": "x"}, 404),
        ("POST", "services/shop/faults", {}, 422),
    ],
)
def test_bad_input_gets_a_clear_error(
    stack: Stack, method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    answered, answer = stack.call("shweta", method, path, body)
    assert answered == status
    assert answer["detail"]


def test_nobody_gets_in_without_a_token(stack: Stack) -> None:
    for path in ("services", "incidents", "agent", "activity"):
        request = urllib.request.Request(f"{stack.url}/api/v1/{path}")  # noqa: S310
        assert _sent(request)[0] == 401


def test_a_second_up_is_refused(stack: Stack) -> None:
    second = subprocess.run(  # noqa: S603
        stack.command("up", "--port", str(free_port())),
        env=stack.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode != 0
    assert "running" in second.stdout + second.stderr


def test_it_stops_in_time_and_leaves_no_orphan(stack: Stack) -> None:
    """Has to be the last: it ends the stack that the others use."""
    took = stack.stop()
    left = [
        process.info["cmdline"]
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["environ"] or {}).get("AGENTOPS_DATA") == str(stack.data)
        or str(stack.data) in " ".join(process.info["cmdline"] or [])
    ]
    assert not left
    assert took <= STOP_LIMIT
