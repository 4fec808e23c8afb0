"""A runtime without processes: files in memory, a process that is a record, answers by a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from monitoring.check_commands import CheckCommand, CheckRun
from monitoring.globs import matches, safe_relative
from monitoring.ports import TargetError
from monitoring.values import Answer, HttpRequest, ProcessState, ServiceSpec, Tree

Responder = Callable[[Tree, HttpRequest], Answer]
_pids = count(50_000)


def says_ok(_tree: Tree, _request: HttpRequest) -> Answer:
    """Answer 200 to everything."""
    return Answer(status=200, body=b'{"status": "ok"}', elapsed_ms=2.0)


@dataclass
class FakeRuntime:
    """Implements TargetReader and TargetWriter; `calls` keeps what was done, `refuse` is the next errors' text.

    Give it to a test through `settings.MONITORING_RUNTIMES = {"local": FakeRuntime()}`.
    """

    respond: Responder = says_ok
    refuse: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    trees: dict[str, dict[str, bytes]] = field(default_factory=dict)
    states: dict[str, ProcessState] = field(default_factory=dict)
    logs: dict[str, bytes] = field(default_factory=dict)

    def process(self, spec: ServiceSpec) -> ProcessState:
        self._note("process", spec)
        return self.states.get(spec.slug, ProcessState())

    def read_tree(self, spec: ServiceSpec) -> Tree:
        self._note("read_tree", spec)
        return dict(sorted(self.trees.get(spec.slug, {}).items()))

    def read_log(self, spec: ServiceSpec, max_bytes: int) -> bytes:
        self._note("read_log", spec)
        return self.logs.get(spec.slug, b"")[-max_bytes:]

    def request(self, spec: ServiceSpec, request: HttpRequest, timeout: float) -> Answer:
        self._note("request", spec)
        if self._state(spec).phase != "running":
            return Answer(failure="refused")
        answer = self.respond(self.trees.get(spec.slug, {}), request)
        if answer.elapsed_ms > timeout * 1000:
            return Answer(failure="timeout", elapsed_ms=timeout * 1000)
        return answer

    def check(self, spec: ServiceSpec, command: CheckCommand) -> CheckRun:
        self._note("check", spec)
        return CheckRun(ran=False, why="the fake runs nothing")

    def stack(self, spec: ServiceSpec) -> str:
        self._note("stack", spec)
        phase = self._state(spec).phase
        return "MainThread: serve_forever" if phase == "running" else f"No stacks: {phase}."

    def write(self, spec: ServiceSpec, files: Mapping[str, bytes | None]) -> None:
        self._note("write", spec)
        refused = [path for path in files if not _editable(spec, path)]
        if refused:
            raise TargetError(f"{spec.slug}: outside the editable files: {refused}", permanent=True)
        tree = self.trees.setdefault(spec.slug, {})
        for path, data in files.items():
            if data is None:
                tree.pop(path, None)
            else:
                tree[path] = data

    def start(self, spec: ServiceSpec) -> ProcessState:
        self._note("start", spec)
        state = self._state(spec)
        return state if state.phase == "running" else self._started(spec)

    def stop(self, spec: ServiceSpec) -> ProcessState:
        self._note("stop", spec)
        return self._set(spec, replace(self._state(spec), phase="stopped"))

    def restart(self, spec: ServiceSpec, *, hung: bool = False) -> ProcessState:
        self._note("restart", spec)
        return self._started(spec)

    def kill(self, spec: ServiceSpec, signal: int) -> None:
        self._note("kill", spec)
        state = self._state(spec)
        if state.phase != "running":
            raise TargetError(f"{spec.slug}: there is no running process to signal.")
        self._set(spec, replace(state, phase="exited", signal=signal, exit_code=None))

    def _started(self, spec: ServiceSpec) -> ProcessState:
        generation = self._state(spec).generation + 1
        started = ProcessState(
            phase="running", pid=next(_pids), started_at=1_000_000.0, generation=generation
        )
        self.logs[spec.slug] = self.logs.get(spec.slug, b"") + b"started\n"
        return self._set(spec, started)

    def _state(self, spec: ServiceSpec) -> ProcessState:
        return self.states.get(spec.slug, ProcessState())

    def _set(self, spec: ServiceSpec, state: ProcessState) -> ProcessState:
        self.states[spec.slug] = state
        return state

    def _note(self, call: str, spec: ServiceSpec) -> None:
        self.calls.append(call)
        if call in self.refuse:
            raise TargetError(f"{spec.slug}: {self.refuse[call]}")


def _editable(spec: ServiceSpec, path: str) -> bool:
    inside = safe_relative(path) and matches(path, spec.editable_globs)
    return inside and not matches(path, spec.data_globs)
