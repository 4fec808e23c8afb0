"""The Blaxel runtime: a service in a persistent sandbox, seeded from its directory when it is not there yet."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from signal import SIGKILL

from django.conf import settings

from agentops_site.integrations import blaxel_http, blaxel_machine, blaxel_service
from agentops_site.integrations.blaxel_service import in_words, machine_of, note_of
from agentops_site.integrations.blaxel_trials import BlaxelSandbox
from agentops_site.integrations.breaker import VendorError
from agentops_site.integrations.local_tree import is_editable
from monitoring.check_commands import CheckCommand, CheckRun
from monitoring.ports import Call, TargetError
from monitoring.values import Answer, HttpRequest, ProcessState, ServiceSpec, Tree

__all__ = ["BlaxelRuntime", "BlaxelSandbox", "test_connection"]

_LOOK_SECONDS = 3.0


class BlaxelRuntime:
    """Implements TargetReader and TargetWriter for `runtime="blaxel"`."""

    def process(self, spec: ServiceSpec) -> ProcessState:
        """Return what our note and Blaxel know of the process, without the SDK: probes ask this too."""
        try:
            note = note_of(spec)
            found = note and blaxel_http.look(
                settings.BLAXEL_SANDBOX, f"/process/{note['name']}", _LOOK_SECONDS
            )
        except blaxel_http.NoSandbox:
            return ProcessState()
        except blaxel_http.Away as away:
            raise TargetError(f"{spec.slug}: {away}.") from away
        return blaxel_service.state_of(note, found or {}) if note else ProcessState()

    def share(self, spec: ServiceSpec) -> tuple[int, int] | None:
        """Return the bytes of memory of the service's process and of its sandbox; None when they cannot be had."""
        try:
            state = self.process(spec)
            if state.phase != "running":
                return None
            return (
                blaxel_service.kilobytes(f"/proc/{state.pid}/status", "VmRSS") * 1024,
                blaxel_service.kilobytes("/proc/meminfo", "MemTotal") * 1024,
            )
        except (TargetError, blaxel_http.Away):
            return None

    def read_tree(self, spec: ServiceSpec) -> Tree:
        """Return the editable files, read inside the sandbox by the rules of `local_tree.read_tree`."""
        with in_words(spec):
            machine, out = machine_of(), f"passing/{secrets.token_hex(8)}"
            blaxel_service.inside_seeded(
                machine, spec, "tree", {**blaxel_service.files_of(spec), "out": out}
            )
            return dict(sorted(machine.fetch(out).items()))

    def read_log(self, spec: ServiceSpec, max_bytes: int) -> bytes:
        """Return the last bytes of what the present (or last) process wrote."""
        with in_words(spec):
            note = note_of(spec)
            log = machine_of().log(note["name"]) if note else b""
        return log[-max_bytes:] if max_bytes > 0 else b""

    def request(self, spec: ServiceSpec, request: HttpRequest, timeout: float) -> Answer:
        """Send one request into the service's port; at most 1 MB is taken and `timeout` is for all of it."""
        return blaxel_http.ask(
            Call(key=spec.id, base_url=spec.base_url, request=request, timeout=timeout)
        )

    def check(self, spec: ServiceSpec, command: CheckCommand) -> CheckRun:
        """Learn nothing: at Blaxel a check would run with the rights of the service, without a wall around it."""
        return CheckRun(ran=False, why="check commands are not run at Blaxel")

    def stack(self, spec: ServiceSpec) -> str:
        """Return the stacks of all threads by py-spy in the sandbox, or why they cannot be had."""
        state = self.process(spec)
        if state.phase != "running" or state.pid is None:
            return f"No stacks: the process is {state.phase}."
        have = "command -v py-spy >/dev/null || python3 -m pip install -q py-spy >/dev/null 2>&1"
        dump = f"{have}; py-spy dump --nonblocking --pid {state.pid} || cat /proc/{state.pid}/wchan"
        with in_words(spec):
            ran = machine_of().run(dump, seconds=25)
        return (ran.output or f"No stacks: {ran.errors[-300:]}")[:200_000]

    def write(self, spec: ServiceSpec, files: Mapping[str, bytes | None]) -> None:
        """Write all files or none, inside the sandbox by the rules of `local_writes.write_files`."""
        refused = sorted(path for path in files if not is_editable(spec, path))
        if refused:
            message = f"{spec.slug}: outside the editable files: {', '.join(map(repr, refused))}."
            raise TargetError(message, permanent=True)
        with in_words(spec):
            machine = machine_of()
            blaxel_service.seed(machine, spec)
            args = {**blaxel_service.files_of(spec), "bundle": machine.send(files)}
            machine.inside("write", args)

    def start(self, spec: ServiceSpec) -> ProcessState:
        """Start the service unless it runs."""
        state = self.process(spec)
        if state.phase == "running":
            return state
        with in_words(spec):
            blaxel_service.launch(machine_of(), spec, state.generation + 1)
        return self.process(spec)

    def stop(self, spec: ServiceSpec) -> ProcessState:
        """Stop the service as planned."""
        with in_words(spec):
            blaxel_service.stop(machine_of(), spec)
        return self.process(spec)

    def restart(self, spec: ServiceSpec, *, hung: bool = False) -> ProcessState:
        """Stop it as planned if it runs, and start it with the present command and environment."""
        with in_words(spec):
            machine = machine_of()
            generation = blaxel_service.stop(machine, spec, hung=hung)
            blaxel_service.launch(machine, spec, generation + 1)
        return self.process(spec)

    def kill(self, spec: ServiceSpec, signal: int) -> None:
        """Signal the process group, unmarked: what follows looks like an accident."""
        state = self.process(spec)
        if state.phase != "running" or state.pid is None:
            raise TargetError(f"{spec.slug}: there is no running process to signal.")
        with in_words(spec):
            machine, name = machine_of(), note_of(spec)["name"]
            if signal == SIGKILL:
                machine.kill(name)
                blaxel_service.await_end(machine, name, 1.0)
            else:
                machine.run(f"kill -{int(signal)} -{state.pid}")


def test_connection() -> str:
    """Ask for the service's sandbox and return in words what came back; never raises."""
    try:
        machine = blaxel_machine.find(settings.BLAXEL_SANDBOX)
    except blaxel_machine.Missing:
        return f"Blaxel answers; the sandbox {settings.BLAXEL_SANDBOX} is made when a service needs it."
    except VendorError as error:
        return str(error)
    return f"Blaxel answers; the sandbox {machine.name} is there."
