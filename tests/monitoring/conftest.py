"""The cast of monitoring's tests: the shop, its health, and a clock that only moves when told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from monitoring import recorder, rollups, snapshots
from monitoring.models import Service, ServiceHealth
from monitoring.values import Answer, HttpRequest, ProcessState, ServiceSpec, Tree
from tests.fakes.prober import HEALTHY

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A moment that tests move by hand."""

    now: datetime = NOON

    def forward(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


@dataclass
class ScriptedRuntime:
    """A runtime whose process, tree and answers are what the test says."""

    state: ProcessState = field(default_factory=lambda: ProcessState(phase="absent"))
    answer: Answer = HEALTHY
    done: list[str] = field(default_factory=list)

    def kill(self, spec: ServiceSpec, signal: int) -> None:
        self.done.append(f"kill {signal}")

    def restart(self, spec: ServiceSpec, *, hung: bool = False) -> ProcessState:
        self.done.append("restart")
        return self.state

    def process(self, spec: ServiceSpec) -> ProcessState:
        return self.state

    def read_tree(self, spec: ServiceSpec) -> Tree:
        root = Path(spec.directory)
        return {p.name: p.read_bytes() for p in sorted(root.iterdir()) if p.is_file()}

    def request(self, spec: ServiceSpec, request: HttpRequest, timeout: float) -> Answer:
        return self.answer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runtime(settings: LazySettings) -> ScriptedRuntime:
    scripted = ScriptedRuntime()
    settings.MONITORING_RUNTIMES = {"local": scripted, "blaxel": scripted}
    return scripted


@pytest.fixture(autouse=True)
def fresh_process_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what this process remembers between rounds, so that tests do not see each other."""
    rollups._tallies.clear()
    snapshots._kept.clear()
    recorder._smoked.clear()
    monkeypatch.setattr(snapshots, "_last_id", 0)
    monkeypatch.setattr(rollups, "_flushed_at", float("inf"))


@dataclass
class Hints:
    """What would have been sent to the broker and to the pages."""

    tasks: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)


@pytest.fixture(autouse=True)
def hints_sent(monkeypatch: pytest.MonkeyPatch) -> Hints:
    """Keep every hint here: the broker and the push are the network's edge."""
    seen = Hints()
    monkeypatch.setattr("monitoring.hints._send", lambda task, _queue: seen.tasks.append(task))
    monkeypatch.setattr("monitoring.realtime._send", seen.events.append)
    return seen


MakeService = Callable[..., Service]


@pytest.fixture
def make_service(db: None, tmp_path: Path, clock: Clock) -> MakeService:
    """Return a maker of services with their health row, due at the clock's moment."""

    def make(slug: str = "shop", *, due_in: float = 0.0, **fields: Any) -> Service:
        directory = tmp_path / slug
        directory.mkdir(exist_ok=True)
        defaults: dict[str, Any] = {
            "name": slug.title(),
            "directory": str(directory),
            "command": ["python3", "server.py", "{port}"],
            "port": 4000 + Service.objects.count(),
            "editable_globs": ["*"],
            "deep_every": 1000,
        }
        service = Service.objects.create(slug=slug, **(defaults | fields))
        due = clock.now + timedelta(seconds=due_in)
        ServiceHealth.objects.create(service=service, next_due_at=due, probes=40, since=clock.now)
        return service

    return make
