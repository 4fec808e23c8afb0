"""What monitoring asks of the outside world. Adapters live in `agentops_site.integrations`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from monitoring.check_commands import CheckCommand, CheckRun
from monitoring.values import Answer, HttpRequest, ProcessState, ServiceSpec, Tree


class TargetError(Exception):
    """A runtime could not do what was asked; `permanent` means that trying again cannot help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request that the prober is to send, `start_in` seconds from now, to `base_url`.

    `key` is the caller's own, given back with the answer; bodies over `max_bytes` are cut and marked.
    """

    key: object
    base_url: str
    request: HttpRequest
    timeout: float
    start_in: float = 0.0
    max_bytes: int = 1_000_000


class Prober(Protocol):
    """Sends many requests at once. One hung transfer never holds up another."""

    def ask(self, calls: Sequence[Call], on_answer: Callable[[Call, Answer], None]) -> None:
        """Send every call at its time and hand over each answer as it comes; return when all have.

        Never raises for a target's fault: that is an `Answer` with `failure`.
        """


class TargetReader(Protocol):
    """Looks at a service without changing it. Every method may raise `TargetError`."""

    def process(self, spec: ServiceSpec) -> ProcessState:
        """Return what the keeper or sandbox knows of the process now."""

    def read_tree(self, spec: ServiceSpec) -> Tree:
        """Return every file inside the editable globs (never through a symlink, bounded in size)."""

    def read_log(self, spec: ServiceSpec, max_bytes: int) -> bytes:
        """Return the last `max_bytes` of the service's log."""

    def request(self, spec: ServiceSpec, request: HttpRequest, timeout: float) -> Answer:
        """Send one request to the service and return its answer; never raises for the target's fault."""

    def stack(self, spec: ServiceSpec) -> str:
        """Return the Python stacks of the running process, or why they cannot be had."""

    def check(self, spec: ServiceSpec, command: CheckCommand) -> CheckRun:
        """Run a check command beside the service; nothing is learned (`ran` False) where it cannot be run."""


class TargetWriter(Protocol):
    """Changes a service. Every method may raise `TargetError`; writes are whole or not at all."""

    def write(self, spec: ServiceSpec, files: Mapping[str, bytes | None]) -> None:
        """Write (or, for None, delete) each file atomically; refuse any path outside the editable globs."""

    def start(self, spec: ServiceSpec) -> ProcessState:
        """Start the process unless it runs already, and return its state once it has a pid."""

    def stop(self, spec: ServiceSpec) -> ProcessState:
        """Stop the process as planned (no incident), and return its state."""

    def restart(self, spec: ServiceSpec, *, hung: bool = False) -> ProcessState:
        """Stop as planned if it runs, start again, and return the state of the new process.

        `hung`: it answers nobody, so that its requests in hand are not worth the usual time to end.
        """

    def kill(self, spec: ServiceSpec, signal: int) -> None:
        """Send a signal to the process as an accident would: nothing is marked as planned."""
