"""Last known good: only a tree that was proven healthy gets there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from monitoring import snapshots
from monitoring.models import Service, ServiceHealth, Snapshot
from monitoring.operations import probe_due
from monitoring.ports import TargetError
from monitoring.snapshots import capture, keep_last_known_good, latest
from monitoring.trees import look
from monitoring.values import Answer, ProcessState, ServiceSpec, Tree
from tests.fakes.prober import HEALTHY, ScriptedProber
from tests.monitoring.conftest import Clock, MakeService, ScriptedRuntime

BROKEN = Answer(status=500, body=b"boom")
LONG_AGO, LATER = 1_000.0, 9_999_999_999.0


@pytest.fixture
def prober() -> ScriptedProber:
    return ScriptedProber()


@pytest.fixture
def shop(make_service: MakeService, runtime: ScriptedRuntime) -> Service:
    """The shop, with code and config, running since after both were written."""
    service = make_service(interval=5.0, healthy_before_snapshot=3)
    write(service, "handler.py", "one = 1\n")
    write(service, "config.json", "{}")
    runtime.state = ProcessState(phase="running", pid=1, started_at=LATER)
    return service


@pytest.fixture
def probe(prober: ScriptedProber, clock: Clock, shop: Service) -> Callable[[int], None]:
    """Return so many rounds of looking at the tree and probing."""

    def rounds(count: int) -> None:
        for _ in range(count):
            probe_due(now=clock.forward(5), prober=prober)
            keep_last_known_good(now=clock.forward(0.1))

    return rounds


Rounds = Callable[[int], None]


def write(service: Service, name: str, text: str) -> None:
    Path(service.directory, name).write_text(text)


def kept(service: Service) -> Tree:
    snapshot = latest(service)
    return snapshot.tree() if snapshot else {}


def test_a_tree_is_kept_after_enough_healthy_probes(shop: Service, probe: Rounds) -> None:
    probe(3)
    assert latest(shop) is None
    probe(1)
    assert kept(shop) == {"handler.py": b"one = 1\n", "config.json": b"{}"}


def test_an_unchanged_tree_is_kept_once(shop: Service, probe: Rounds) -> None:
    probe(8)
    snapshots._kept.clear()  # another worker
    probe(2)
    assert Snapshot.objects.count() == 1


def test_a_failing_tree_is_never_kept(shop: Service, probe: Rounds, prober: ScriptedProber) -> None:
    probe(4)
    write(shop, "handler.py", "broken\n")
    prober.script("/health", BROKEN)
    probe(6)
    assert kept(shop)["handler.py"] == b"one = 1\n"


def test_a_flapping_service_proves_nothing(
    shop: Service, probe: Rounds, prober: ScriptedProber
) -> None:
    prober.script("/health", *[HEALTHY, HEALTHY, BROKEN] * 5)
    probe(15)
    assert latest(shop) is None


def test_changed_code_waits_for_a_process_that_was_started_on_it(
    shop: Service, probe: Rounds, runtime: ScriptedRuntime
) -> None:
    probe(4)
    runtime.state = ProcessState(phase="running", pid=1, started_at=LONG_AGO)
    write(shop, "handler.py", "two = 2\n")
    probe(6)
    assert kept(shop)["handler.py"] == b"one = 1\n"
    runtime.state = ProcessState(phase="running", pid=2, started_at=LATER)
    probe(4)
    assert kept(shop)["handler.py"] == b"two = 2\n"


def test_changed_config_is_proven_without_a_restart(
    shop: Service, probe: Rounds, runtime: ScriptedRuntime
) -> None:
    probe(4)
    runtime.state = ProcessState(phase="running", pid=1, started_at=LONG_AGO)
    write(shop, "config.json", '{"tax": 7}')
    probe(5)
    assert kept(shop)["config.json"] == b'{"tax": 7}'


def test_deleted_code_and_another_environment_wait_for_a_restart(
    shop: Service, probe: Rounds, runtime: ScriptedRuntime, clock: Clock
) -> None:
    write(shop, "extra.py", "")
    probe(4)
    runtime.state = ProcessState(phase="running", pid=1, started_at=clock.now.timestamp())
    Path(shop.directory, "extra.py").unlink()
    Service.objects.update(environment={"MODE": "b"})
    probe(6)
    assert "extra.py" in kept(shop)
    runtime.state = ProcessState(phase="running", pid=2, started_at=LATER)
    probe(4)
    assert "extra.py" not in kept(shop)
    assert Snapshot.objects.filter(service=shop)[0].environment == {"MODE": "b"}


def test_a_change_between_look_and_reading_is_not_kept(
    shop: Service, probe: Rounds, runtime: ScriptedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = runtime.read_tree

    def racing(spec: ServiceSpec) -> Tree:
        tree = read(spec)
        write(shop, "handler.py", "raced = 1\n")
        return tree

    monkeypatch.setattr(runtime, "read_tree", racing)
    probe(4)
    assert latest(shop) is None


def test_a_tree_that_cannot_be_read_stops_nobody(
    shop: Service, probe: Rounds, runtime: ScriptedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(spec: ServiceSpec) -> Tree:
        raise TargetError("too large")

    monkeypatch.setattr(runtime, "read_tree", refuse)
    probe(5)
    assert latest(shop) is None
    assert capture(service=shop, reason="deploy", now=Clock().now) is None


def test_a_young_service_is_probed_twice_a_second_until_it_is_kept(
    shop: Service, prober: ScriptedProber, clock: Clock
) -> None:
    ServiceHealth.objects.update(probes=0)
    for tick in range(4):
        probe_due(now=clock.forward(1 if tick else 0), prober=prober)
        if latest(shop):
            break
    assert latest(shop) is not None
    assert tick <= 2
    before = len(prober.asked)
    for _ in range(5):
        probe_due(now=clock.forward(1), prober=prober)
    assert len(prober.asked) - before <= 2


def test_a_deploy_that_stood_its_window_is_captured_and_a_failing_one_is_not(
    shop: Service, clock: Clock
) -> None:
    assert capture(service=shop, reason="deploy", now=clock.now) is None
    ServiceHealth.objects.update(state="healthy")
    made = capture(service=shop, reason="deploy", now=clock.now)
    again = capture(service=shop, reason="deploy", now=clock.now)
    assert made == again == latest(shop)


def test_with_many_services_each_beat_looks_at_the_next_ones(
    make_service: MakeService, runtime: ScriptedRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "MOST_AT_ONCE", 2)
    for number in range(5):
        make_service(f"s{number}")
    looked = []
    for _ in range(3):
        keep_last_known_good(now=Clock().now)
        looked.append(ServiceHealth.objects.exclude(tree_signature="").count())
    assert looked == [2, 4, 5]


def test_a_look_sees_content_names_environment_and_nothing_outside_the_globs(
    make_service: MakeService, tmp_path: Path
) -> None:
    service = make_service(editable_globs=["**/*.py", "*.json"], data_globs=["data.json"])
    write(service, "a.py", "1")
    before = look(service.spec()).signature
    write(service, "data.json", "{}")
    write(service, "notes.txt", "-")
    Path(service.directory, "link.py").symlink_to(tmp_path / "elsewhere.py")
    Path(service.directory, "__pycache__").mkdir()
    write(service, "__pycache__/a.py", "")
    assert look(service.spec()).signature == before
    service.environment = {"A": "1"}
    assert look(service.spec()).signature != before
    service.environment = {}
    write(service, "a.py", "2")
    times = os.stat(Path(service.directory, "a.py"))  # noqa: PTH116
    os.utime(Path(service.directory, "a.py"), ns=(times.st_atime_ns, 0))
    assert look(service.spec()).signature != before
    assert look(service.spec()).newest_code() > LONG_AGO


def test_a_missing_directory_looks_empty(make_service: MakeService) -> None:
    service = make_service()
    service.directory += "/gone"
    assert look(service.spec()).changed_at == {}
