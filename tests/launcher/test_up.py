"""`./agentops up` from outside: real processes, a real Valkey, stand-ins for the Django part."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import time
from pathlib import Path

import pytest

from launcher.layout import Layout
from launcher.valkey import last_broker
from tests.browser.stack import Broker
from tests.launcher.checkout import alive, wait_until
from tests.launcher.conftest import Launch


def test_up_prints_one_block_when_all_answers(launch: Launch, checkout: Path, port: int) -> None:
    launched = launch().ready()
    said = launched.said()
    for path in ("/", "/shop/", "/admin/", "/api/v1/docs"):
        assert f"http://127.0.0.1:{port}{path}\n" in said
    assert "swordfish" in said
    assert "shweta@example.com  team lead" in said
    assert f"kill {launched.process.pid}" in said
    assert [line for line in launched.trace() if line.startswith("ran ")][:2] == [
        "ran migrate",
        "ran seed_demo",
    ]


def test_data_is_private_and_the_broker_wants_its_password(launch: Launch, checkout: Path) -> None:
    launch().ready()
    data = checkout / "var"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "run" / "valkey.conf").stat().st_mode) == 0o600
    broker = last_broker(Layout(checkout, data))
    assert broker is not None
    assert broker.answers()
    with socket.create_connection(("127.0.0.1", broker.port), timeout=2) as stranger:
        stranger.sendall(b"PING\r\n")
        assert stranger.recv(100).startswith(b"-NOAUTH")


def test_children_get_a_clean_environment(launch: Launch, checkout: Path) -> None:
    (checkout / ".env").write_text("MONITOR_INTERVAL=2\nSECRET_KEY=of the file\n")
    launched = launch(PYTHONDONTWRITEBYTECODE="1", PYTHONPATH="elsewhere").ready()
    seen = next(line for line in launched.trace() if line.startswith("env "))
    for name in (
        "MONITOR_INTERVAL",
        "REDIS_URL",
        "AGENTOPS_DEMO",
        "AGENTOPS_DATA",
        "PYTHONUNBUFFERED",
    ):
        assert f"'{name}'" in seen
    assert "PYTHONDONTWRITEBYTECODE" not in seen
    assert "PYTHONPATH" not in seen


def test_a_stop_goes_in_order_and_leaves_nothing(launch: Launch, checkout: Path) -> None:
    launched = launch().ready()
    assert launched.stop(signal.SIGINT) == 0
    ended = [line for line in launched.trace() if line.startswith(("stop ", "ran stop"))]
    assert ended == [
        "stop beat",
        "stop watcher",
        "stop agent",
        "stop probes",
        "ran stop_services",
        "stop web",
    ]
    assert launched.is_gone()
    broker = last_broker(Layout(checkout, checkout / "var"))
    assert broker is not None
    assert not broker.answers()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_it_too(launch: Launch, number: signal.Signals) -> None:
    launched = launch().ready()
    assert launched.stop(number) == 0
    assert launched.is_gone()


def test_a_stop_during_the_start_leaves_nothing(launch: Launch) -> None:
    launched = launch()
    launched.wait_for("Preparing the database")
    assert launched.stop() == 0
    assert launched.is_gone()


def test_a_part_that_does_not_stop_is_killed_within_the_limit(launch: Launch) -> None:
    launched = launch(STUB_STUBBORN="agent").ready()
    assert launched.stop(within=10) == 0
    assert "worker-agent did not stop" in launched.said()
    assert launched.is_gone()


def test_services_that_could_not_be_stopped_in_time_are_stopped_all_the_same(
    launch: Launch,
) -> None:
    launched = launch(STUB_STUCK_ONCE="stop_services").ready()
    assert launched.stop(within=10) == 0
    assert "services-stop did not stop" in launched.said()
    wait_until(lambda: launched.trace().count("ran stop_services") == 2, "tried once more")


def test_a_second_interrupt_kills_at_once(launch: Launch) -> None:
    launched = launch(STUB_STUBBORN="beat").ready()
    launched.process.send_signal(signal.SIGINT)
    launched.wait_for("Stopping")
    begun = time.monotonic()
    launched.process.send_signal(signal.SIGINT)
    assert launched.process.wait(timeout=5) == 130
    assert time.monotonic() - begun < 2
    wait_until(launched.is_gone, "nothing left")
    wait_until(lambda: "ran stop_services" in launched.trace(), "watched services stopped")


def test_a_crashed_part_is_started_again_and_said(launch: Launch) -> None:
    launched = launch().ready()
    worker, pool = launched.pids("agent")[0], launched.pids("pool")[0]
    os.kill(worker, signal.SIGKILL)
    launched.wait_for("worker-agent was killed by SIGKILL; starting it again in 0.5 s")
    wait_until(lambda: len(launched.pids("agent")) == 2, "started again")
    assert not alive(pool)
    assert launched.process.poll() is None


def test_a_crashed_broker_comes_back_at_its_address(launch: Launch, checkout: Path) -> None:
    launched = launch().ready()
    broker = last_broker(Layout(checkout, checkout / "var"))
    assert broker is not None
    with socket.create_connection(("127.0.0.1", broker.port), timeout=2) as admin:
        admin.sendall(f"AUTH {broker.password}\r\nSHUTDOWN NOSAVE\r\n".encode())
        launched.wait_for("valkey ended with exit status 0; starting it again")
    wait_until(broker.answers, "the broker answers again")


def test_a_killed_launcher_leaves_no_orphan_and_can_be_started_again(launch: Launch) -> None:
    launched = launch().ready()
    launched.process.kill()
    wait_until(launched.is_gone, "nothing left", limit=5)
    again = launch().ready()
    assert "ran stop_services" in launched.trace()
    assert again.stop() == 0


def test_a_second_up_is_refused(launch: Launch, port: int) -> None:
    first = launch().ready()
    pid, said = first.process.pid, first.said()
    second = launch()
    assert second.process.wait(timeout=10) == 1
    assert f"AgentOps is already running, pid {pid}, at http://127.0.0.1:{port}" in second.said()
    assert "AgentOps is running." in said
    assert first.process.poll() is None


def test_a_busy_port_is_said_before_anything_starts(
    launch: Launch, checkout: Path, port: int
) -> None:
    with socket.create_server(("127.0.0.1", port)):
        launched = launch()
        assert launched.process.wait(timeout=10) == 1
    assert f"Port {port} on 127.0.0.1 is busy" in launched.said()
    advice = re.search(r"\./agentops up --port (\d+)", launched.said())
    assert advice
    assert int(advice[1]) != port
    assert not launched.trace()
    assert not (checkout / "var" / "run" / "valkey.json").exists()


def test_an_inner_port_that_is_taken_gives_way(launch: Launch, checkout: Path) -> None:
    first = launch().ready()
    facts = checkout / "var" / "run" / "valkey.json"
    used = json.loads(facts.read_text())["port"]
    assert first.stop() == 0
    with socket.create_server(("127.0.0.1", used)):
        launch().ready()
        assert json.loads(facts.read_text())["port"] != used


def test_the_demo_is_not_served_to_others(launch: Launch, checkout: Path) -> None:
    launched = launch("--host", "0.0.0.0")  # noqa: S104 - refused
    assert launched.process.wait(timeout=10) == 1
    assert "--no-demo" in launched.said()
    assert not (checkout / "var").exists()


def test_the_mode_is_remembered(launch: Launch) -> None:
    assert launch("--no-demo").ready().stop() == 0
    again = launch().ready()
    assert "createsuperuser" in again.said()
    assert "ran seed_demo" not in again.trace()


def test_with_redis_url_no_broker_is_started(
    launch: Launch, checkout: Path, tmp_path: Path
) -> None:
    own = Broker(tmp_path)
    own.start()
    try:
        launch(REDIS_URL=own.url).ready()
        assert not (checkout / "var" / "run" / "valkey.json").exists()
        assert not (checkout / "var" / "logs" / "valkey.log").exists()
    finally:
        own.stop()


@pytest.mark.parametrize(
    ("name", "url", "why"),
    [
        ("REDIS_URL", "redis://127.0.0.1:1/0", "refused"),
        ("REDIS_URL", "http://127.0.0.1/", "must be redis://"),
        ("REDIS_URL", "nonsense", "must be redis://"),
        ("DATABASE_URL", "postgres://me:mine@127.0.0.1:1/agentops", "refused"),
        ("DATABASE_URL", "mysql://127.0.0.1/agentops", "must be postgres://"),
    ],
)
def test_a_part_of_ones_own_that_cannot_be_reached_is_said_before_anything_starts(
    launch: Launch, name: str, url: str, why: str
) -> None:
    launched = launch(**{name: url})
    assert launched.process.wait(timeout=15) == 1
    said = launched.said()
    assert name in said
    assert why in said
    assert "Traceback" not in said
    assert not launched.trace()


def test_a_wrong_password_of_ones_own_broker_is_said(launch: Launch, tmp_path: Path) -> None:
    own = Broker(tmp_path)
    own.start()
    try:
        launched = launch(REDIS_URL=f"redis://:wrong@127.0.0.1:{own.port}/0")
        assert launched.process.wait(timeout=15) == 1
        assert "REDIS_URL does not work" in launched.said()
        assert "password" in launched.said().lower()
    finally:
        own.stop()


def test_a_failed_migration_ends_the_start_with_its_log(launch: Launch) -> None:
    launched = launch(STUB_FAIL="migrate")
    assert launched.process.wait(timeout=10) == 1
    assert "migrate ended with exit status 1" in launched.said()
    assert "migrate lost its way" in launched.said()
    assert not launched.pids()


@pytest.mark.parametrize("where", [{"STUB_FAIL": "migrate"}, {"STUB_CRASH": "probes"}])
def test_a_wrong_setting_is_said_in_one_line_and_not_tried_again(
    launch: Launch, where: dict[str, str]
) -> None:
    words = "django.core.exceptions.ImproperlyConfigured: MONITOR_INTERVAL='x' is not a number."
    launched = launch(STUB_LAST_WORDS=f"Traceback\n{words}", **where)
    assert launched.process.wait(timeout=20) == 1
    said = launched.said()
    assert "A setting is wrong: MONITOR_INTERVAL='x' is not a number.\n" in said
    assert "Traceback" not in said
    assert len(launched.pids("probes")) <= 1


def test_watched_services_that_do_not_start_are_said_and_the_rest_goes_on(launch: Launch) -> None:
    launched = launch(STUB_FAIL="start_services").ready()
    launched.wait_for("services ended with exit status 1")
    assert "start_services lost its way" in launched.said()
    assert launched.process.poll() is None


@pytest.mark.slow
def test_a_crash_loop_stops_everything_and_says_why(launch: Launch) -> None:
    launched = launch(STUB_CRASH="probes")
    assert launched.process.wait(timeout=40) == 1
    assert "worker-probes ended with exit status 1, for the 6th time within 60 s" in launched.said()
    assert "probes finds no bread" in launched.said()
    assert [line for line in launched.trace() if line == "stop web"]
    assert launched.is_gone()
