"""Starting the service's process so that it can neither outlive its keeper nor leave children behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import typing
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_PR_SET_PTRACER = 0x59616D61
_ANY_TRACER = ctypes.c_ulong(-1 & (2 ** (8 * ctypes.sizeof(ctypes.c_ulong)) - 1))
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Spec(typing.NamedTuple):
    """What to run: `spec.json` as AgentOps wrote it, with the port already in the command."""

    command: list[str]
    directory: str
    environment: dict[str, str]


def spawn(spec: Spec, output: int) -> subprocess.Popen[bytes]:
    """Start the process in a session of its own, both outputs into the descriptor `output`.

    Raises OSError (no such command or directory, no permission) or ValueError (a NUL byte in a word).
    """
    return subprocess.Popen(  # noqa: S603 - the command that a manager configured
        spec.command,
        cwd=spec.directory,
        env={**os.environ, **spec.environment},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=_bind_to(os.getpid()),
    )


def signal_group(pid: int, number: int) -> None:
    """Send a signal to the process and everything it started that stayed in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _bind_to(keeper: int) -> Callable[[], None] | None:
    libc = _LIBC
    if libc is None:
        return None

    def ask_kernel() -> None:
        # Without this a killed keeper leaves a process on the port that nobody can stop or restart.
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        # Where Yama limits tracing to parents, py-spy could not read the stacks of a hung service.
        libc.prctl(_PR_SET_PTRACER, _ANY_TRACER, 0, 0, 0)
        if os.getppid() != keeper:  # it died before the first line: no signal will come any more
            os._exit(1)

    return ask_kernel
