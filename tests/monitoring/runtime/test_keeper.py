"""The keeper under attack: floods, kills, stubborn services, taken ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.conf import settings

from agentops_site.integrations.local import LocalRuntime
from monitoring.keeper import identity
from monitoring.keeper.client import KeeperClient, KeeperError
from monitoring.keeper.log import RotatingLog
from monitoring.keeper.state import State, read_state, write_state
from monitoring.ports import TargetError
from monitoring.values import HttpRequest, ServiceSpec
from tests.monitoring.runtime.conftest import MakeService
from tests.monitoring.runtime.helpers import PLAIN, until

FLOOD = """
import os, time
line = b"x" * 3_000_000 + bytes(range(256)) + b"\\n"
end, written = time.monotonic() + 2, 0
while time.monotonic() < end:
    written += os.write(1, line)
print("written", written, flush=True)
time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("started", flush=True)
time.sleep(60)
"""
WITH_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("child", child.pid, flush=True)
time.sleep(60)
"""


def client(spec: ServiceSpec) -> KeeperClient:
    return KeeperClient(settings.DATA_DIR, spec.slug)


def gone(pid: int | None) -> bool:
    return identity.mark(pid) == ""


def logged(runtime: LocalRuntime, spec: ServiceSpec, text: bytes) -> bytes:
    def found() -> bytes:
        log = runtime.read_log(spec, 20_000)
        return log if text in log else b""

    return bytes(until(found))


def test_a_flood_of_log_never_blocks_and_stays_bounded(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service(FLOOD)
    runtime.start(spec)
    log = logged(runtime, spec, b"written ")
    written = int(log.rpartition(b"written ")[2])
    assert (
        written > 40_000_000
    )  # a reader that held it up would let through a pipe's 1 MB at a time
    kept = sum(path.stat().st_size for path in client(spec).log.parent.glob(f"{spec.slug}.log*"))
    assert kept < 3 * 7_000_000
    tail = runtime.read_log(spec, 8_000_000)
    assert len(tail) == 8_000_000  # reaches across a rotation


def test_a_log_that_cannot_be_written_does_not_stop_the_service(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service(
        FLOOD.replace("time.sleep(60)", "open('done', 'w').close(); time.sleep(60)")
    )
    client(spec).log.mkdir(parents=True)  # a directory stands where the log should be
    runtime.start(spec)
    until((Path(spec.directory) / "done").exists)
    assert runtime.process(spec).phase == "running"
    client(spec).log.rmdir()


def test_lost_log_is_counted_in_the_log(tmp_path: Path) -> None:
    blocked = tmp_path / "folder" / "a.log"
    (tmp_path / "folder").write_text("a file in the way")
    log = RotatingLog(blocked)
    log.write(b"12345")
    (tmp_path / "folder").unlink()

    def written_again() -> bool:
        log.write(b"x\n")
        return blocked.exists()

    until(written_again)
    assert b"bytes of log were lost here: " in blocked.read_bytes()
    log.close()


def test_a_killed_keeper_takes_its_service_along_and_the_end_is_unplanned(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service()
    state = runtime.start(spec)
    os.kill(client(spec).state().keeper_pid or 0, signal.SIGKILL)
    until(lambda: gone(state.pid))
    assert runtime.process(spec).phase == "exited"
    assert runtime.start(spec).generation == state.generation + 1


def test_what_a_killed_keeper_left_behind_is_swept_before_the_next_start(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service(WITH_CHILD)
    runtime.start(spec)
    child = int(logged(runtime, spec, b"child ").split()[1])
    os.kill(client(spec).state().keeper_pid or 0, signal.SIGKILL)
    until(lambda: runtime.process(spec).phase == "exited")
    assert not gone(child)
    runtime.start(spec)
    until(lambda: gone(child))


@pytest.mark.parametrize("act", ["stop", "restart", "kill"])
def test_no_child_of_a_service_survives_it(
    act: str, runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service(WITH_CHILD)
    runtime.start(spec)
    child = int(logged(runtime, spec, b"child ").split()[1])
    if act == "kill":
        runtime.kill(spec, signal.SIGKILL)
    else:
        getattr(runtime, act)(spec)
    until(lambda: gone(child))


def test_a_service_that_ignores_sigterm_is_killed_after_three_seconds(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service(STUBBORN)
    runtime.start(spec)
    logged(runtime, spec, b"started")
    began = time.monotonic()
    state = runtime.stop(spec)
    assert state.phase == "stopped"
    assert state.signal == signal.SIGKILL
    assert 2.5 < time.monotonic() - began < 5


def test_one_that_hangs_is_killed_soon_and_the_next_stop_has_the_full_time_again(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service(STUBBORN)
    first = runtime.start(spec)
    logged(runtime, spec, b"started")
    began = time.monotonic()
    again = runtime.restart(spec, hung=True)
    assert time.monotonic() - began < 2.5
    assert again.generation == first.generation + 1
    until(lambda: runtime.read_log(spec, 10_000).count(b"started") == 2)
    began = time.monotonic()
    runtime.restart(spec)
    assert time.monotonic() - began > 2.5


def test_a_suspended_service_can_be_restarted(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service()
    first = runtime.start(spec)
    runtime.kill(spec, signal.SIGSTOP)
    until(lambda: runtime.process(spec).state == "T")
    assert runtime.restart(spec).pid != first.pid


def test_an_end_by_itself_is_unplanned_with_its_exit_status(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service("import sys; sys.exit(7)")
    runtime.start(spec)
    state = until(lambda: (s := runtime.process(spec)).phase == "exited" and s)
    assert (state.exit_code, state.signal) == (7, None)
    until(lambda: gone(client(spec).state().keeper_pid))  # nothing is left to keep


def test_a_second_keeper_is_refused(runtime: LocalRuntime, make_service: MakeService) -> None:
    spec = make_service()
    first = runtime.start(spec)
    second = subprocess.run(  # noqa: S603
        client(spec).command(detach=False), capture_output=True, check=False, timeout=10
    )
    assert second.returncode == 3
    assert b"another keeper" in second.stderr
    assert runtime.process(spec).pid == first.pid


def test_a_process_number_used_again_is_not_the_service(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service()
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    folder = client(spec).folder
    folder.mkdir(parents=True)
    boot = identity.mark(os.getpid()).rpartition(":")[0]
    write_state(
        folder,
        State(phase="running", pid=bystander.pid, pid_mark=f"{boot}:1", generation=4),
    )
    try:
        assert runtime.process(spec).phase == "exited"
        with pytest.raises(TargetError):
            runtime.kill(spec, signal.SIGKILL)
        assert runtime.start(spec).generation == 5
        runtime.stop(spec)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_taken_port_is_named_with_its_holder_and_nothing_starts(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service()
    said = f"port {spec.port} is taken by process {os.getpid()}"
    with socket.create_server(("127.0.0.1", spec.port)), pytest.raises(TargetError, match=said):
        runtime.start(spec)
    assert runtime.process(spec).phase == "absent"
    assert runtime.start(spec).phase == "running"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"directory": "/nowhere/at/all"}, "no directory"),
        ({"command": ()}, "no start command"),
        ({"command": ("no-such-program", "x")}, "was not found"),
        ({"command": ("./server.py",)}, "was not found or cannot be executed"),
        ({"command": ("python3", "a\0b")}, "null byte"),
    ],
)
def test_what_cannot_start_says_why(
    changes: dict[str, object], said: str, runtime: LocalRuntime, make_service: MakeService
) -> None:
    good = make_service()
    spec = ServiceSpec(**{**vars(good), **changes})
    with pytest.raises(TargetError, match=said) as refused:
        runtime.start(spec)
    assert refused.value.permanent


def test_a_service_sees_nothing_of_our_environment(
    runtime: LocalRuntime, make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    spec = make_service(
        "import json, os, time; print(json.dumps(dict(os.environ)), flush=True); time.sleep(60)",
        environment={"MINE": "1"},
    )
    runtime.start(spec)
    seen = json.loads(logged(runtime, spec, b"}"))
    assert seen["MINE"] == "1"
    assert seen["PORT"] == str(spec.port)
    allowed = {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONUNBUFFERED"}
    assert set(seen) - allowed <= {"MINE", "PORT", "PWD", "SHLVL", "_", "__PYVENV_LAUNCHER__"}
    keeper = Path(f"/proc/{client(spec).state().keeper_pid}/environ").read_bytes()
    assert b"sk-secret" not in keeper


def test_orders_at_the_same_time_come_one_after_the_other(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service()
    runtime.start(spec)
    seen: list[int] = []
    threads = [
        threading.Thread(target=lambda: seen.append(runtime.restart(spec).generation))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert runtime.process(spec).generation == 5
    assert max(seen) == 5


def test_an_order_waits_no_longer_than_its_limit(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_service()
    monkeypatch.setattr("monitoring.keeper.client._LOCK_SECONDS", 0.1)
    held, wanted = client(spec).alone(), client(spec).alone()
    with held, pytest.raises(KeeperError, match="another process"), wanted:
        pytest.fail("the right was given twice")


def test_a_state_that_cannot_be_read_is_absent(tmp_path: Path) -> None:
    for text in (b"", b"{", b"[]", b"\xff", b'{"phase": "running", "unknown": 1}'):
        (tmp_path / "state.json").write_bytes(text)
        assert read_state(tmp_path).phase in {"absent", "running"}


def test_a_planned_restart_takes_well_under_half_a_second(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service(PLAIN)
    runtime.start(spec)
    until(lambda: runtime.request(spec, HttpRequest(), 1).status == 200)
    taken = []
    for _ in range(3):
        began = time.monotonic()
        runtime.restart(spec)
        until(lambda: runtime.request(spec, HttpRequest(), 1).status == 200)
        taken.append(time.monotonic() - began)
    assert min(taken) < 0.5


def test_a_package_with_toml_and_asyncio_is_kept_like_any_other(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service(
        sample="notes",
        command=("python3", "-m", "notebook", "{port}"),
        editable_globs=("notebook/**/*.py", "notes.toml"),
    )
    runtime.start(spec)
    until(lambda: runtime.request(spec, HttpRequest(path="/healthz"), 1).status == 200)
    assert set(runtime.read_tree(spec)) >= {"notes.toml", "notebook/answers.py"}


def test_a_service_behind_a_shell_script_is_kept_like_any_other(
    runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service(
        sample="queue_pkg",
        command=("./run.sh",),
        editable_globs=("jobs/*.py",),
    )
    runtime.start(spec)
    until(lambda: runtime.request(spec, HttpRequest(path="/status"), 1).status == 200)
    assert "jobs/worker.py" in runtime.read_tree(spec)
