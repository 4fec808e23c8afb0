"""Facts about a local process: what the kernel counts, and where each thread stands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import psutil

from monitoring.values import ProcessState

STACK_SECONDS = 6.0
MAX_STACK_CHARS = 200_000
_LETTERS = {
    psutil.STATUS_RUNNING: "R",
    psutil.STATUS_SLEEPING: "S",
    psutil.STATUS_DISK_SLEEP: "D",
    psutil.STATUS_STOPPED: "T",
    psutil.STATUS_TRACING_STOP: "t",
    psutil.STATUS_ZOMBIE: "Z",
    psutil.STATUS_DEAD: "X",
    psutil.STATUS_IDLE: "I",
}


def measured(state: ProcessState) -> ProcessState:
    """Return the state with letter, memory, CPU seconds, open files and threads, as far as they can be had."""
    facts: dict[str, object] = {}
    try:
        process = psutil.Process(state.pid)
        with process.oneshot():
            facts["state"] = _LETTERS.get(process.status(), "")
            facts["memory_bytes"] = process.memory_info().rss
            times = process.cpu_times()
            facts["cpu_seconds"] = round(times.user + times.system, 3)
            facts["threads"] = process.num_threads()
            facts["open_files"] = process.num_fds()
            facts["file_limit"] = _file_limit(process)
    except psutil.Error:
        pass  # it ended meanwhile, or belongs to somebody else: what was read stands
    return ProcessState(**{**vars(state), **facts})


def _file_limit(process: psutil.Process) -> int | None:
    if not hasattr(process, "rlimit"):  # Linux and FreeBSD only
        return None
    return int(process.rlimit(psutil.RLIMIT_NOFILE)[0])


def port_holder(host: str, port: int) -> str:
    """Return who listens on the port, in words, as far as we may see it."""
    try:
        sockets = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return "another process"
    listening = (s for s in sockets if s.status == psutil.CONN_LISTEN)
    holders = {s.pid for s in listening if getattr(s.laddr, "port", None) == port}
    for pid in sorted(pid for pid in holders if pid):
        try:
            return f"process {pid} ({psutil.Process(pid).name()})"
        except psutil.Error:
            continue
    return "another process"


def stacks(pid: int) -> str:
    """Return the Python stacks of a process by py-spy, else the kernel's view and the reason."""
    program = _py_spy()
    if program is None:
        return _kernel_view(pid, "py-spy is not installed")
    # Without pausing: a py-spy that is killed at its time limit could leave the service stopped.
    # Full names: a service may have its own `threading.py`, and a short name fits many files.
    command = [program, "dump", "--nonblocking", "--full-filenames", "--pid", str(pid)]
    try:
        dump = subprocess.run(  # noqa: S603 - our own program
            command, capture_output=True, timeout=STACK_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return _kernel_view(pid, f"py-spy: {error}")
    if dump.returncode != 0:
        reason = dump.stderr.decode("utf-8", "replace").strip().splitlines()
        return _kernel_view(pid, f"py-spy: {reason[0] if reason else dump.returncode}")
    return dump.stdout.decode("utf-8", "replace")[:MAX_STACK_CHARS]


def _py_spy() -> str | None:
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def _kernel_view(pid: int, reason: str) -> str:
    lines = [f"No Python stacks ({reason}). What the kernel says of process {pid}:"]
    for thread in sorted(Path(f"/proc/{pid}/task").glob("*"))[:50]:
        waits, name, state = (_field(thread, part) for part in ("wchan", "comm", "status"))
        letter = next((ln for ln in state.splitlines() if ln.startswith("State:")), "State: ?")
        lines.append(f"thread {thread.name} {name.strip()}: {letter}, waits in {waits or '?'}")
    return "\n".join(lines if len(lines) > 1 else [*lines, "nothing: it has ended."])


def _field(thread: Path, part: str) -> str:
    try:
        return (thread / part).read_text(errors="replace")
    except OSError:
        return ""
