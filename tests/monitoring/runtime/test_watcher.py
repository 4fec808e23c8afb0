"""The watcher tells unplanned ends at once, planned ones never, and lives through hiccups."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.db import OperationalError

from agentops_site.integrations.local import LocalRuntime
from monitoring import edits, operations, watcher
from monitoring.keeper.client import KeeperClient
from monitoring.resources import Sampler
from monitoring.values import ProcessState, ServiceSpec
from monitoring.watcher import Watcher
from tests.monitoring.runtime.conftest import MakeService
from tests.monitoring.runtime.helpers import until

TIMES_OUT = 5.0


@dataclass
class Told:
    """What the watcher recorded, in the place of `operations.record_exit`; fails as often as `failures` says."""

    ends: list[tuple[int, ProcessState, float]] = field(default_factory=list)
    failures: int = 0
    asked: list[int] = field(default_factory=list)

    def request_probe(self, service_id: int, *, now: datetime, deep: bool) -> None:
        assert now.tzinfo
        assert deep
        self.asked.append(service_id)

    def record_exit(self, *, service_id: int, process: ProcessState, now: datetime) -> int:
        assert now.tzinfo
        if self.failures:
            self.failures -= 1
            raise OperationalError("database is locked")
        self.ends.append((service_id, process, time.monotonic()))
        return 1


@dataclass
class Scene:
    """A watcher in a thread, the services it sees, and what it told."""

    told: Told
    specs: list[ServiceSpec]

    def has_told(self, times: int) -> bool:
        return len(self.told.ends) >= times

    def has_asked(self, times: int) -> bool:
        return len(self.told.asked) >= times

    def first(self) -> tuple[int, ProcessState, float]:
        until(lambda: self.told.ends, TIMES_OUT)
        return self.told.ends[0]


@pytest.fixture(params=["pidfd", "polling"])
def scene(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    made = Scene(Told(), [])
    monkeypatch.setattr(operations, "record_exit", made.told.record_exit)
    monkeypatch.setattr(operations, "request_probe", made.told.request_probe)
    monkeypatch.setattr(Sampler, "take", lambda _self, **_: None)  # has tests of its own
    monkeypatch.setattr(watcher, "enabled_specs", lambda: list(made.specs))
    monkeypatch.setattr(watcher, "close_old_connections", lambda: None)
    monkeypatch.setattr(watcher, "REREAD_SECONDS", 0.2)
    if request.param == "polling":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    watching = Watcher()
    thread = threading.Thread(target=watching.run)
    thread.start()
    yield made
    watching.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_a_kill_is_told_within_a_quarter_of_a_second(
    scene: Scene, runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service()
    runtime.start(spec)
    scene.specs.append(spec)
    time_to_follow = time.monotonic() + 0.4
    until(lambda: time.monotonic() > time_to_follow)
    runtime.kill(spec, signal.SIGKILL)
    killed = time.monotonic()
    service_id, state, at = scene.first()
    assert service_id == spec.id
    assert (state.phase, state.signal) == ("exited", signal.SIGKILL)
    assert at - killed < 0.25


def test_planned_ends_are_never_told(
    scene: Scene, runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec, other = make_service(), make_service("import sys; sys.exit(1)")
    scene.specs.append(spec)
    runtime.start(spec)
    for _ in range(4):
        runtime.restart(spec)
    runtime.stop(spec)
    scene.specs.append(other)
    runtime.start(other)
    assert scene.first()[0] == other.id  # the watcher was awake all the time
    assert [service_id for service_id, _, _ in scene.told.ends] == [other.id]


def test_a_process_that_started_anew_is_probed_once_it_listens_and_only_once(
    scene: Scene, runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service()
    runtime.start(spec)
    scene.specs.append(spec)
    time_to_follow = time.monotonic() + 0.5
    until(lambda: time.monotonic() > time_to_follow)
    assert scene.told.asked == []  # it ran before we looked: the schedule has it
    for number in (1, 2):
        runtime.restart(spec)
        until(partial(scene.has_asked, number), TIMES_OUT)
    looks = time.monotonic() + 0.5
    until(lambda: time.monotonic() > looks)
    assert scene.told.asked == [spec.id, spec.id]


def test_an_edited_file_has_its_service_probed(
    scene: Scene, runtime: LocalRuntime, make_service: MakeService
) -> None:
    edited, other = (make_service(editable_globs=("*.py", "config.json")) for _ in range(2))
    for spec in (edited, other):
        runtime.start(spec)
        scene.specs.append(spec)
    time_to_follow = time.monotonic() + 0.8
    until(lambda: time.monotonic() > time_to_follow)
    assert scene.told.asked == []
    Path(edited.directory, "orders.db").write_text("data")  # outside of the globs
    Path(edited.directory, "config.json").write_text("{")
    until(lambda: scene.told.asked, TIMES_OUT)
    looks = time.monotonic() + 0.5
    until(lambda: time.monotonic() > looks)
    assert scene.told.asked == [edited.id]


def test_a_large_tree_is_not_stamped(tmp_path: Path, make_service: MakeService) -> None:
    spec = make_service(editable_globs=("*",))
    first = edits.stamp(spec)
    assert first is not None
    Path(spec.directory, "server.py").unlink()
    Path(spec.directory, "other.py").touch()
    assert edits.stamp(spec) not in (None, first)
    for number in range(edits.MOST_ENTRIES):
        Path(spec.directory, f"{number}.txt").touch()
    assert edits.stamp(spec) is None


def test_a_process_that_does_not_listen_yet_is_not_probed(
    scene: Scene, runtime: LocalRuntime, make_service: MakeService
) -> None:
    deaf = make_service("import time; time.sleep(60)")
    heard = make_service()
    for spec in (deaf, heard):
        runtime.start(spec)
        scene.specs.append(spec)
    time_to_follow = time.monotonic() + 0.5
    until(lambda: time.monotonic() > time_to_follow)
    for spec in (deaf, heard):
        runtime.restart(spec)
    until(lambda: scene.told.asked, TIMES_OUT)
    assert scene.told.asked == [heard.id]


def test_each_end_is_told_once_also_when_the_service_dies_again(
    scene: Scene, runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service("import sys; sys.exit(3)")
    scene.specs.append(spec)
    for number in (1, 2, 3):
        runtime.start(spec)
        until(partial(scene.has_told, number), TIMES_OUT)
    assert [state.generation for _, state, _ in scene.told.ends] == [1, 2, 3]


def test_the_end_of_a_killed_keepers_service_is_told(
    scene: Scene, runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service()
    runtime.start(spec)
    scene.specs.append(spec)
    os.kill(KeeperClient(settings.DATA_DIR, spec.slug).state().keeper_pid or 0, signal.SIGKILL)
    assert scene.first()[1].phase == "exited"


def test_an_end_that_the_database_refused_is_told_later(
    scene: Scene, runtime: LocalRuntime, make_service: MakeService
) -> None:
    spec = make_service("import sys; sys.exit(3)")
    scene.told.failures = 3
    runtime.start(spec)
    scene.specs.append(spec)
    assert scene.first()[1].exit_code == 3
    assert scene.told.failures == 0


@pytest.mark.django_db(transaction=True)
def test_the_command_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    """Runs on a database without tables: the hiccup of an `up` whose migration is not through yet."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "watch_processes"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "AGENTOPS_DATA": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    line = process.stderr.readline()
    assert "will be tried again" in line, line
    process.terminate()
    assert process.wait(5) == 0
    process.stderr.close()
