"""The main job as its user sees it: `./agentops up` as a real process, and from then on only the API and the files."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from bench._stack import ROOT, Stack, free_port, sent, wait_for

STOP_LIMIT = 10.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


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
        assert sent(request)[0] == 401


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


def test_no_part_of_it_met_an_error(stack: Stack) -> None:
    logs = sorted((stack.data / "logs").glob("*.log"))
    assert "worker-agent.log" in [log.name for log in logs]
    said = [line for log in logs for line in log.read_text(errors="replace").splitlines()]
    grave = [line for line in said if " ERROR " in line or " CRITICAL " in line]
    # Who asks while it starts is answered 503, which Django writes down as an error.
    assert [line for line in grave if "Service Unavailable: /healthz" not in line] == []


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
