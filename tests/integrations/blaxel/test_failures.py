"""Every way in which Blaxel can fail ends in the port's own error, in bounded time, and leaves the service as it was."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentops_site.integrations import blaxel, blaxel_http, blaxel_machine
from agentops_site.integrations.blaxel import BlaxelRuntime, BlaxelSandbox
from agentops_site.integrations.breaker import VendorError
from agentops_site.models import VendorCall, VendorState
from incidents.ports import SandboxError
from monitoring.ports import TargetError
from monitoring.values import HttpRequest, ServiceSpec
from tests.integrations.contract_sandbox import plan_for
from tests.monitoring.runtime.helpers import PLAIN, spec_of, until
from tests.standins.blaxel_api import KEY, BlaxelStandIn, error
from tests.standins.server import Handler, as_json, drip, endless, hang, reset, respond, truncated

pytestmark = pytest.mark.django_db(transaction=True)
RUNTIME = BlaxelRuntime()

FAULTS: dict[str, Any] = {
    "401": error(401, "AUTHENTICATION_FAILED"),
    "402": error(402, "USAGE_LIMIT_EXCEEDED"),
    "403": error(403, "FORBIDDEN"),
    "409": error(409, "CONFLICT"),
    "429": as_json({"error": "slow down"}, status=429, retry_after="3600"),
    "500": error(500, "GATEWAY_INTERNAL_ERROR"),
    "502": respond(b"<html>Bad Gateway</html>", status=502, kind="text/html"),
    "503": error(503, "WORKLOAD_UNAVAILABLE"),
    "504": error(504, "UPSTREAM_TIMEOUT"),
    "redirect": respond(b"", status=307, Location="http://127.0.0.1:9/"),
    "malformed": respond(b'{"metadata": {"na'),
    "wrong shape": as_json({"hello": "world"}),
    "a list": as_json([1, 2]),
    "null": as_json(None),
    "HTML": respond(b"<html>fine</html>", kind="text/html"),
    "empty": respond(b""),
    "hang": hang,
    "drip": drip,
    "reset": reset,
    "truncated": truncated,
    "endless": endless,
}


FEW = ["429", "503", "redirect", "malformed", "wrong shape", "hang", "drip", "reset", "truncated"]


@pytest.fixture
def running(api: BlaxelStandIn, tmp_path: Path, settings: Any) -> Iterator[ServiceSpec]:
    """Return a running service; limits are short and the breaker stays out of the way."""
    settings.VENDOR_BREAKER_FAILURES = 1000
    (tmp_path / "server.py").write_text(PLAIN)
    spec = spec_of(tmp_path, runtime="blaxel")
    RUNTIME.start(spec)
    until(lambda: RUNTIME.request(spec, HttpRequest(), 2.0).status == 200)
    settings.BLAXEL_SECONDS = settings.BLAXEL_CREATE_SECONDS = 0.4
    settings.BLAXEL_COMMAND_SECONDS = 2
    yield spec
    api.faults.clear()
    settings.BLAXEL_SECONDS = settings.BLAXEL_COMMAND_SECONDS = 10
    RUNTIME.stop(spec)


ACTS: dict[str, Callable[[ServiceSpec], object]] = {
    "write": lambda spec: RUNTIME.write(spec, {"server.py": b"# bad"}),
    "restart": RUNTIME.restart,
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_failure_of_the_control_plane_is_a_target_error(
    name: str, running: ServiceSpec, api: BlaxelStandIn
) -> None:
    api.misbehave(FAULTS[name], "/v0/sandboxes")
    refuses_in_time(lambda: RUNTIME.read_tree(running))


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("name", ["503", "hang"])
def test_a_change_that_cannot_be_made_changes_nothing(
    name: str, act: str, running: ServiceSpec, api: BlaxelStandIn, settings: Any
) -> None:
    before = RUNTIME.process(running)
    api.misbehave(FAULTS[name], "/v0/sandboxes")
    refuses_in_time(lambda: ACTS[act](running))
    api.faults.clear()
    settings.BLAXEL_SECONDS = 10.0
    assert RUNTIME.process(running) == before
    assert RUNTIME.read_tree(running)["server.py"] == PLAIN.encode()


@pytest.mark.parametrize("name", FEW)
def test_a_failure_inside_the_sandbox_is_a_target_error(
    name: str, running: ServiceSpec, api: BlaxelStandIn, settings: Any
) -> None:
    api.misbehave(FAULTS[name], "/agentops-ecom/process", "POST")
    refuses_in_time(lambda: RUNTIME.write(running, {"server.py": b"# bad"}))
    api.faults.clear()
    settings.BLAXEL_SECONDS = 10.0
    assert RUNTIME.read_tree(running)["server.py"] == PLAIN.encode()


@pytest.mark.parametrize("name", FEW)
def test_a_failing_file_system_is_a_target_error(
    name: str, running: ServiceSpec, api: BlaxelStandIn
) -> None:
    api.misbehave(FAULTS[name], "/filesystem//agentops/passing")
    refuses_in_time(lambda: RUNTIME.read_tree(running))


@pytest.mark.parametrize("name", FEW)
def test_looking_at_the_process_never_takes_long(
    name: str, running: ServiceSpec, api: BlaxelStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentops_site.integrations.blaxel._LOOK_SECONDS", 0.4)
    api.misbehave(FAULTS[name], "/agentops-ecom/process/")
    if name == "wrong shape":
        assert RUNTIME.process(running).phase == "exited"
        return
    refuses_in_time(lambda: RUNTIME.process(running))


@pytest.mark.parametrize("name", FAULTS)
def test_no_trial_is_possible_and_none_is_made_here(
    name: str, api: BlaxelStandIn, settings: Any, tmp_path: Path
) -> None:
    settings.BLAXEL_SECONDS = settings.BLAXEL_CREATE_SECONDS = 0.4
    settings.VENDOR_BREAKER_FAILURES = 1000
    settings.DATA_DIR = tmp_path
    api.misbehave(FAULTS[name], "/v0/sandboxes")
    began = time.monotonic()
    with pytest.raises(SandboxError, match="no trial at Blaxel"):
        BlaxelSandbox().open(plan_for())
    assert time.monotonic() - began < 6
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["401", "429", "503", "hang", "reset", "malformed"])
def test_a_copy_that_cannot_be_started_is_no_word_on_the_fix(
    name: str, api: BlaxelStandIn, settings: Any
) -> None:
    box = BlaxelSandbox().open(plan_for())
    settings.BLAXEL_SECONDS = 0.4
    api.misbehave(FAULTS[name], "/agentops-trial/process", "POST")
    with pytest.raises(SandboxError):
        box.start()
    api.faults.clear()
    box.close()


def refuses_in_time(act: Callable[[], object]) -> None:
    """Have the act end in a TargetError within bounded time that does not hold the key."""
    began = time.monotonic()
    with pytest.raises(TargetError) as refused:
        act()
    assert time.monotonic() - began < 12
    assert KEY not in str(refused.value)


def test_a_command_that_runs_out_is_killed(api: BlaxelStandIn, settings: Any) -> None:
    machine = blaxel_machine.find_or_make("agentops-ecom", wish())
    machine.note("x.json", {})
    with pytest.raises(VendorError, match="422"):
        machine.run("exec sleep 60", seconds=1)
    assert ended(api)


def test_a_command_whose_answer_never_comes_is_killed(api: BlaxelStandIn, settings: Any) -> None:
    machine = blaxel_machine.find_or_make("agentops-ecom", wish())
    machine.note("x.json", {})
    settings.BLAXEL_SECONDS = 0.3

    def start_and_hang(handler: Handler) -> None:
        api.sandboxes["agentops-ecom"].processes.answer(api.requests[-1], "/process")
        hang(handler)

    api.misbehave(start_and_hang, "/process", "POST")
    with pytest.raises(VendorError, match="in time"):
        machine.run("exec sleep 60", seconds=1)
    assert ended(api)


def ended(api: BlaxelStandIn) -> bool:
    processes = api.sandboxes["agentops-ecom"].processes.known.values()
    return bool(until(lambda: processes and all(one.done.is_set() for one in processes)))


def wish() -> dict[str, Any]:
    return {"image": "i", "memory": 512, "region": "us-pdx-1"}


def test_a_deleted_sandbox_is_made_and_seeded_again(
    running: ServiceSpec, api: BlaxelStandIn, settings: Any
) -> None:
    settings.BLAXEL_SECONDS = settings.BLAXEL_CREATE_SECONDS = 10.0
    api.delete("agentops-ecom")
    assert RUNTIME.process(running).phase == "absent"
    assert RUNTIME.request(running, HttpRequest(), 2.0).failure == "refused"
    assert RUNTIME.start(running).phase == "running"


def test_a_gateway_is_not_taken_for_the_service(running: ServiceSpec, api: BlaxelStandIn) -> None:
    for code, word in (("UPSTREAM_CONNECT_FAILED", "refused"), ("UPSTREAM_TIMEOUT", "timeout"), ("USAGE_LIMIT_EXCEEDED", "unreachable")):  # fmt: skip
        api.faults.clear()
        api.misbehave(error(503, code), "/port/")
        assert RUNTIME.request(running, HttpRequest(), 2.0).failure == word


def test_calls_and_errors_are_counted_and_the_breaker_opens(
    api: BlaxelStandIn, settings: Any, tmp_path: Path
) -> None:
    settings.VENDOR_BREAKER_FAILURES = 2
    (tmp_path / "server.py").write_text(PLAIN)
    spec = spec_of(tmp_path, runtime="blaxel")
    RUNTIME.read_tree(spec)
    calls = VendorState.objects.get(vendor="blaxel").calls
    assert calls >= 4
    api.misbehave(error(500, "GATEWAY_INTERNAL_ERROR"), "/v0/")
    for _ in range(2):
        with pytest.raises(TargetError):
            RUNTIME.read_tree(spec)
    asked = len(api.requests)
    with pytest.raises(TargetError, match="left alone"):
        RUNTIME.read_tree(spec)
    assert len(api.requests) == asked
    assert VendorState.objects.get(vendor="blaxel").errors == 2 + (calls - VendorCall.objects.filter(ok=True).count())  # fmt: skip


def test_without_a_key_nothing_leaves_and_the_reason_is_said(
    api: BlaxelStandIn, settings: Any, tmp_path: Path
) -> None:
    settings.BL_API_KEY = ""
    spec = spec_of(tmp_path, runtime="blaxel")
    for act in (RUNTIME.process, RUNTIME.start, RUNTIME.read_tree, RUNTIME.restart):
        with pytest.raises(TargetError, match="not set up"):
            act(spec)
    with pytest.raises(SandboxError, match="not set up"):
        BlaxelSandbox().open(plan_for())
    assert RUNTIME.request(spec, HttpRequest(), 1.0).failure == "unreachable"
    assert api.requests == []


def test_logging_stays_ours(api: BlaxelStandIn) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    blaxel_machine.find_or_make("agentops-ecom", wish())
    assert (root.handlers, root.level) == (handlers, level)
    assert logging.getLogger("httpx").level == logging.WARNING


def test_the_connection_test_speaks(api: BlaxelStandIn, settings: Any) -> None:
    assert "is made when" in blaxel.test_connection()
    settings.BL_API_KEY = "wrong"
    blaxel_http.remember("agentops-ecom", "")
    assert "401" in blaxel.test_connection()
    assert "wrong" not in blaxel.test_connection().replace("wrong key", "")


def test_only_what_the_service_needs_goes_to_its_sandbox(
    running: ServiceSpec, api: BlaxelStandIn, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's own secrets leave it in no byte; the service's environment goes into its own process only."""
    settings.BLAXEL_SECONDS = settings.BLAXEL_COMMAND_SECONDS = 10
    canaries = {"ANTHROPIC_API_KEY": "canary-of-the-worker", "SECRET_KEY": "canary-of-django"}
    for name, value in canaries.items():
        monkeypatch.setenv(name, value)
        setattr(settings, name, value)
    secret = replace(running, environment={"DATABASE_PASSWORD": "canary-of-the-service"})
    api.raw.clear()
    RUNTIME.restart(secret)
    RUNTIME.read_tree(secret)
    BlaxelSandbox().open(plan_for()).close()
    sent = bytes(api.raw)
    assert not any(value.encode() in sent for value in canaries.values())
    holders = [r.path for r in api.requests if b"canary-of-the-service" in r.body]
    assert len(holders) == 1
    assert holders[0].endswith("/agentops-ecom/process")
