"""The local runtime: a service as a process on this machine, under its keeper."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping
from errno import EADDRINUSE
from pathlib import Path
from signal import SIGKILL

from django.conf import settings

from agentops_site.integrations import local_check, local_process, local_tree, local_writes
from agentops_site.integrations.http_probe import CurlProber
from monitoring.check_commands import CheckCommand, CheckRun
from monitoring.keeper import state as kept
from monitoring.keeper.client import KeeperClient, KeeperError
from monitoring.keeper.identity import is_same
from monitoring.keeper.log import rotated
from monitoring.keeper.program import program
from monitoring.ports import Call, TargetError
from monitoring.values import Answer, HttpRequest, ProcessState, ServiceSpec, Tree

MAX_ANSWER_BYTES = 1_000_000
_NOTICE_SECONDS = 0.25
_PORT_SECONDS = 0.5
_KILL_SECONDS = 1.0
_LOCAL_HOSTS = {"127.0.0.1", "localhost", "::1", "0.0.0.0", "::"}  # noqa: S104 - compared, not bound


class LocalRuntime:
    """Implements TargetReader and TargetWriter for `runtime="local"`."""

    def __init__(self) -> None:
        self._prober = CurlProber()

    def process(self, spec: ServiceSpec) -> ProcessState:
        """Return the keeper's knowledge, checked against the process itself, with the kernel's figures."""
        client = _client(spec)
        state = _settled(client)
        shown = ProcessState(
            phase=_phase(client, state),
            pid=state.pid,
            started_at=state.started_at,
            exit_code=state.exit_code,
            signal=state.signal,
            generation=state.generation,
            log_bytes=_size(client.log),
        )
        return local_process.measured(shown) if shown.phase == kept.RUNNING else shown

    def read_tree(self, spec: ServiceSpec) -> Tree:
        """Return the editable files (see `local_tree.read_tree`)."""
        return local_tree.read_tree(spec)

    def read_log(self, spec: ServiceSpec, max_bytes: int) -> bytes:
        """Return the log's last bytes, also when it has just been rotated; empty when there is none."""
        parts: list[bytes] = []
        wanted = max_bytes
        for path in rotated(_client(spec).log):
            part = _tail(path, wanted)
            parts.append(part)
            wanted -= len(part)
            if wanted <= 0:
                break
        return b"".join(reversed(parts))

    def request(self, spec: ServiceSpec, request: HttpRequest, timeout: float) -> Answer:
        """Send one request; at most 1 MB of the answer is taken and `timeout` is for all of it."""
        answers: list[Answer] = []
        call = Call(
            key=spec.id,
            base_url=spec.base_url,
            request=request,
            timeout=timeout,
            max_bytes=MAX_ANSWER_BYTES,
        )
        self._prober.ask([call], lambda _call, answer: answers.append(answer))
        return answers[0]

    def stack(self, spec: ServiceSpec) -> str:
        """Return the stacks of all threads, or why they cannot be had."""
        state = self.process(spec)
        if state.phase != kept.RUNNING or state.pid is None:
            return f"No stacks: the process is {state.phase}."
        return local_process.stacks(state.pid)

    def check(self, spec: ServiceSpec, command: CheckCommand) -> CheckRun:
        """Run a check command (see `local_check`); what it says counts only if one process ran all the while."""
        before = self.process(spec)
        if before.phase != kept.RUNNING:
            return CheckRun(ran=False, why=f"the process is {before.phase}")
        ran, after = local_check.run_check(spec, command), self.process(spec)
        if (before.pid, before.generation, before.phase) != (
            after.pid,
            after.generation,
            after.phase,
        ):
            return CheckRun(ran=False, why="the process was restarted or ended meanwhile")
        return ran

    def write(self, spec: ServiceSpec, files: Mapping[str, bytes | None]) -> None:
        """Write all files or none (see `local_writes.write_files`)."""
        with _ordered(spec):
            local_writes.write_files(spec, files)

    def start(self, spec: ServiceSpec) -> ProcessState:
        """Start the service unless it runs; refuse, with the reason, what cannot work."""
        with _ordered(spec) as client:
            if not client.service_lives(client.state()):
                _start(client, spec)
        return self.process(spec)

    def stop(self, spec: ServiceSpec) -> ProcessState:
        """Stop the service as planned."""
        with _ordered(spec) as client:
            client.stop()
        return self.process(spec)

    def restart(self, spec: ServiceSpec, *, hung: bool = False) -> ProcessState:
        """Stop it as planned if it runs, and start it with the present command and environment."""
        with _ordered(spec) as client:
            _start(client, spec, hung=hung)
        return self.process(spec)

    def kill(self, spec: ServiceSpec, signal: int) -> None:
        """Signal the process itself, unmarked: its keeper will see an accident."""
        state = _client(spec).state()
        if not is_same(state.pid, state.pid_mark) or state.pid is None:
            raise TargetError(f"{spec.slug}: there is no running process to signal.")
        try:
            os.kill(state.pid, signal)
        except OSError as error:
            raise TargetError(f"{spec.slug}: process {state.pid}: {error.strerror}.") from error
        if signal == SIGKILL:
            _await_end(_client(spec))


def _client(spec: ServiceSpec) -> KeeperClient:
    return KeeperClient(settings.DATA_DIR, spec.slug)


@contextlib.contextmanager
def _ordered(spec: ServiceSpec) -> Iterator[KeeperClient]:
    client = _client(spec)
    try:
        with client.alone():
            yield client
    except KeeperError as error:
        raise TargetError(f"{spec.slug}: {error}.") from error


def _settled(client: KeeperClient) -> kept.State:
    """Return the state, giving a living keeper a moment to write down an end that we saw before it did."""
    limit = time.monotonic() + _NOTICE_SECONDS
    while True:
        state = client.state()
        ended = state.phase == kept.RUNNING and not client.service_lives(state)
        if not ended or not client.keeper_lives(state) or time.monotonic() > limit:
            return state
        time.sleep(0.002)


def _await_end(client: KeeperClient) -> None:
    """Wait until SIGKILL has worked: a start right after it would take the dying process for a running one."""
    limit = time.monotonic() + _KILL_SECONDS
    while client.service_lives(client.state()) and time.monotonic() < limit:
        time.sleep(0.002)


def _phase(client: KeeperClient, state: kept.State) -> str:
    """Return the phase; a process that is being stopped as planned is stopped, though it takes a moment to end.

    Else a connection that it closes on its way out would be taken for a failure, and each deploy for an incident.
    """
    if state.phase != kept.RUNNING:
        return state.phase
    if state.planned:
        return kept.STOPPED
    return kept.RUNNING if client.service_lives(state) else kept.EXITED


def _start(client: KeeperClient, spec: ServiceSpec, *, hung: bool = False) -> None:
    wanted = program(spec)
    if not client.service_lives(client.state()):
        _check_port(spec)
    state = client.start(wanted, hung=hung)
    if state.error:
        raise TargetError(f"{spec.slug}: {state.error}.", permanent=True)


def _check_port(spec: ServiceSpec) -> None:
    """Raise TargetError when somebody else has the port; a process that is just ending gets a moment."""
    if spec.host not in _LOCAL_HOSTS:
        return
    limit = time.monotonic() + _PORT_SECONDS
    while not _free(spec.host, spec.port):
        if time.monotonic() > limit:
            holder = local_process.port_holder(spec.host, spec.port)
            raise TargetError(f"{spec.slug}: port {spec.port} is taken by {holder}.")
        time.sleep(0.02)


def _free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # TIME_WAIT is no holder
        try:
            probe.bind((host, port))
        except OSError as error:
            return error.errno != EADDRINUSE
    return True


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _tail(path: Path, wanted: int) -> bytes:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - wanted))
            return file.read(max(0, wanted))
    except OSError:
        return b""
