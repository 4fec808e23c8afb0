"""Runs a check command beside the live service: bounded in time and output, able to read and to ask, never to write.

Where the kernel has Landlock the command may write its private temporary folder only, and reach the service's port only:
a check is no way round the editable globs. Elsewhere it has the rights of the service itself.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from agentops_site.integrations.isolation import bubblewrap, cage, landlock
from monitoring.check_commands import MAX_OUTPUT, CheckCommand, CheckRun
from monitoring.keeper.client import inherited_environment
from monitoring.keeper.program import program
from monitoring.values import ServiceSpec, storable

_CODE = (
    "import sys; sys.path.insert(0, {!r}); from isolation.reading import main; main(sys.argv[1])"
)
_LEAST_SECRET = 6


@dataclass(frozen=True, kw_only=True)
class _Ran:
    code: int | None
    output: bytes


def run_check(spec: ServiceSpec, command: CheckCommand) -> CheckRun:
    """Run the command in the service's directory with the service's environment; raise `TargetError` as a start does."""
    wanted = program(replace(spec, command=command.words))
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="agentops-check-") as scratch:
        plan = {
            "command": wanted.command,
            "directory": wanted.directory,
            "writable": [scratch, *cage.DEVICES],
            "port": spec.port,
            "landlock_abi": landlock.abi() if cage.LINUX else 0,
            "seconds": command.seconds,
        }
        environment = {**inherited_environment(), **wanted.environment, "TMPDIR": scratch}
        ran = _bounded(plan, environment, begun + command.seconds)
    return CheckRun(
        ran=True,
        exit_code=ran.code,
        output=_shown(ran.output, spec),
        seconds=round(time.monotonic() - begun, 3),
    )


def _bounded(plan: dict[str, object], environment: dict[str, str], limit: float) -> _Ran:
    code = _CODE.format(str(bubblewrap.PACKAGE.parent))
    process = subprocess.Popen(  # noqa: S603 - a manager's command, behind the same wall as its name says
        [sys.executable, "-I", "-S", "-c", code, json.dumps(plan)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    try:
        output = _read(process, limit)
        process.wait(max(0.0, limit - time.monotonic()))
        code_seen: int | None = process.returncode
    except subprocess.TimeoutExpired:
        output, code_seen = b"", None
    finally:  # its children, too, and also when it ended by itself
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()
    return _Ran(code=code_seen, output=output)


def _read(process: subprocess.Popen[bytes], limit: float) -> bytes:
    """Return the last bytes of the output; raise TimeoutExpired at the limit.

    Ends with the process and not with the pipe, which a child in the background would hold open.
    """
    assert process.stdout is not None  # noqa: S101 - it was asked for
    kept = b""
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < limit:
            ended = process.poll() is not None
            if ready.select(0.0 if ended else min(0.05, max(0.0, limit - time.monotonic()))):
                part = os.read(process.stdout.fileno(), 65536)
                kept = (kept + part)[-4 * MAX_OUTPUT :]
                if part:
                    continue
                return kept
            if ended:
                return kept
    raise subprocess.TimeoutExpired(process.args, 0.0)


def _shown(output: bytes, spec: ServiceSpec) -> str:
    """Return the output as it may be kept: the values of the service's environment may be secrets."""
    text = storable(output.decode("utf-8", "replace"))
    for value in sorted(spec.environment.values(), key=len, reverse=True):
        if len(value) >= _LEAST_SECRET:
            text = text.replace(value, "[redacted]")
    return text[-MAX_OUTPUT:]
