"""Starting a command in a box and keeping hold of it from outside."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from agentops_site.integrations.isolation import bubblewrap, cage, landlock, seccomp
from agentops_site.integrations.isolation.cage import Launch
from agentops_site.integrations.isolation.levels import Level

_START_LIMIT = 10.0
_GRACE = 6.0  # the warden itself needs at most 5 s to end everything


class LaunchError(Exception):
    """The box could not be started; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How the command ended: `code` or `signal` (a positive number), or neither when the box was lost."""

    code: int | None = None
    signal: int | None = None
    timed_out: bool = False


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What the command and all its children used; None where the box was lost before it could say."""

    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    exit: Exit | None = None


class Process:
    """A command in a box. Safe to use from several threads; `end()` must be called once done with it."""

    def __init__(
        self, outer: subprocess.Popen[bytes], control: socket.socket, isolation: str
    ) -> None:
        self.isolation = isolation
        self.pid = outer.pid
        self._outer = outer
        self._control = control
        self._lock = threading.Lock()
        self._usage: Usage | None = None

    def stands(self, plan: dict[str, Any]) -> bool:
        """Give the warden its plan and return whether it took it; for `launch()` only."""
        return "failure" not in self._ask(plan, _START_LIMIT)

    def poll(self) -> Exit | None:
        """Return how the command ended, None while it runs."""
        with self._lock:
            return self._usage.exit if self._usage else _exit(self._ask({"do": "status"}, 2.0))

    def connect(self, timeout: float) -> socket.socket:
        """Return a socket that is connected to the command's port.

        Raises ConnectionRefusedError, TimeoutError, or ConnectionError when the box is gone.
        """
        with self._lock:
            if self._usage:
                raise ConnectionError("the box has ended")
            reply = self._ask({"do": "connect", "timeout": timeout}, timeout + 2.0)
        connection = reply.get("socket")
        if isinstance(connection, socket.socket):
            return connection
        kinds = {"refused": ConnectionRefusedError, "timeout": TimeoutError}
        raise kinds.get(str(reply.get("failure")), ConnectionError)(f"port: {reply.get('failure')}")

    def open_files(self) -> int | None:
        """Return how many files the command's processes hold open, the most of any one; None where it cannot be seen."""
        counts = []
        with suppress(psutil.Error):
            for child in psutil.Process(self.pid).children(recursive=True):
                with suppress(psutil.Error):
                    counts.append(child.num_fds())
        return max(counts, default=None)

    def run(self, command: tuple[str, ...], seconds: float) -> tuple[int | None, str] | None:
        """Run another command in the box; return its exit code (None: ended at the limit) and last words, or None
        when the box is lost."""
        with self._lock:
            if self._usage:
                return None
            message = {"do": "run", "command": command, "seconds": seconds}
            reply = self._ask(message, seconds + 2.0)
        return (reply.get("exit_code"), str(reply["output"])) if "output" in reply else None

    def end(self) -> Usage:
        """Kill everything in the box, wait until it is gone and return what it used; harmless when repeated."""
        with self._lock:
            if self._usage is None:
                reply = self._ask({"do": "end"}, _GRACE)
                self._control.close()
                self._bury()
                self._usage = Usage(
                    cpu_seconds=reply.get("cpu_seconds"),
                    peak_memory_bytes=reply.get("peak_memory_bytes"),
                    exit=_exit(reply) or Exit(),
                )
            return self._usage

    def _ask(self, message: dict[str, Any], timeout: float) -> dict[str, Any]:
        """Return the warden's answer, or `{"running": False}` when it gives none: the box is lost then."""
        try:
            self._control.settimeout(timeout)
            self._control.sendall(json.dumps(message).encode() + b"\n")
            data, descriptors, _, _ = socket.recv_fds(self._control, 65536, 1)
            reply: dict[str, Any] = json.loads(data)
        except (OSError, ValueError):
            return {"running": False, "failure": "lost"}
        if descriptors:
            reply["socket"] = _checked_socket(descriptors[0])
        return reply

    def _bury(self) -> None:
        try:
            self._outer.wait(2.0)
        except (
            subprocess.TimeoutExpired
        ):  # a warden that was itself stopped or killed by what it guards
            with suppress(psutil.NoSuchProcess):
                children = psutil.Process(self.pid).children(recursive=True)
                for child in children:
                    with suppress(psutil.NoSuchProcess):
                        child.kill()
                psutil.wait_procs(children, timeout=2.0)
            self._outer.kill()
            self._outer.wait()


def _exit(reply: dict[str, Any]) -> Exit | None:
    if reply.get("running", True):
        return None
    return Exit(
        code=reply.get("exit_code"),
        signal=reply.get("signal"),
        timed_out=bool(reply.get("timed_out")),
    )


def _checked_socket(descriptor: int) -> socket.socket | None:
    # The warden shares its user with the boxed command: take nothing from it but a TCP connection.
    connection = socket.socket(fileno=descriptor)
    connection.settimeout(None)  # it comes in the warden's mode
    if connection.family == socket.AF_INET and connection.type == socket.SOCK_STREAM:
        return connection
    connection.close()
    return None


def launch(what: Launch, level: Level) -> Process:
    """Start the command at the given level and return at once; raises LaunchError when it cannot be tried at all.

    The work directory changes hands to the box's own user when we are root.
    """
    readable = cage.readable_paths(what)
    uid = _user_for(what, level)
    _hand_over(what, uid)
    plan = _plan(what, level, readable, uid)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = bubblewrap.MOUNTED_AT if level is Level.NAMESPACES else str(bubblewrap.PACKAGE.parent)
    code = f"import sys; sys.path.insert(0, {folder!r}); from isolation.warden import main; main({theirs.fileno()})"
    command = [sys.executable, "-I", "-S", "-c", code]
    if level is Level.NAMESPACES:
        command = bubblewrap.arguments(what, readable) + command
    try:
        with theirs, what.log.open("ab") as log:
            outer = subprocess.Popen(  # noqa: S603 - our own warden; what it starts is confined
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                env={},
                start_new_session=True,
            )
    except OSError as error:
        ours.close()
        raise LaunchError(f"the box could not be started: {error}") from error
    process = Process(outer, ours, describe(level, dropped=uid is not None))
    if not process.stands(plan):
        process.end()
        raise LaunchError(f"the box could not be started: {_tail(what.log)}")
    return process


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-500:].strip() or "its warden did not answer"


def describe(level: Level, *, dropped: bool) -> str:
    """Return the level in words, as the receipt shows it."""
    filtered = " + seccomp" if seccomp.SUPPORTED else ", no seccomp on this machine"
    words = {
        Level.NAMESPACES: f"namespaces (bubblewrap){filtered} + rlimits",
        Level.LANDLOCK: f"Landlock ABI {landlock.abi() if cage.LINUX else 0}{filtered} + rlimits",
        Level.RLIMITS: "rlimits only",
    }
    return words[level] + (", as root" if os.geteuid() == 0 and not dropped else "")


def _plan(what: Launch, level: Level, readable: list[str], uid: int | None) -> dict[str, Any]:
    inside = level is Level.NAMESPACES
    tmpdir = "/tmp" if inside else str(what.scratch)  # noqa: S108 - private to the box
    shared_count = 0 if inside or uid is not None else cage.threads_of_this_user()
    limits = vars(what.limits) | {"processes": what.limits.processes + shared_count}
    return {
        "command": what.command,
        "workdir": str(what.workdir),
        "port": what.port,
        "environment": cage.environment_for(what, tmpdir),
        "level": level.value,
        "landlock_abi": landlock.abi() if cage.LINUX else 0,
        "uid": uid,
        "warden_uid": uid if inside else None,
        "limits": limits,
        "readable": readable,
        "writable": [str(what.workdir), str(what.scratch), *cage.DEVICES],
    }


def _user_for(what: Launch, level: Level) -> int | None:
    uid = cage.spare_uid()
    if level is Level.NAMESPACES or uid is None:
        return uid
    # Without own mounts a new user must be able to walk to the files; where it cannot, root stays, without powers.
    program = shutil.which(what.command[0]) or what.command[0]
    needed = [what.workdir / "x", Path(program), Path(program).resolve()]
    return uid if all(cage.open_to_all(path) for path in needed) else None


def _hand_over(what: Launch, uid: int | None) -> None:
    if uid is None:
        return
    for top in (what.workdir, what.scratch):
        os.chown(top, uid, uid)
        for folder, names, files in os.walk(top):
            for name in (*names, *files):
                os.chown(Path(folder) / name, uid, uid, follow_symlinks=False)
