"""The warden: a small process that starts the boxed command, hands out connections to it, and ends it.

It runs beside the command (inside its namespaces, if there are any) and is driven over one socket by `process.py`,
a line of JSON each way. A connection to the command's port is made here and handed over as a file descriptor, so that
it crosses a network namespace at full speed and without a path. When the socket closes (also because the worker was
SIGKILLed) everything in the box ends. Standard library only.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import confine  # noqa: TID252 - this folder is mounted alone, see confine.py

_TICK = 0.2
_MOST_OUTPUT = 2000


class Warden:
    """Keeps one boxed command: `pid` is the command, everything else hangs below this process."""

    def __init__(self, control: socket.socket, plan: dict[str, Any]) -> None:
        self.control = control
        self.port: int = plan["port"]
        self.deadline = time.monotonic() + plan["limits"]["wall_seconds"]
        self.parent = os.getppid()
        self.exit: dict[str, Any] = {"running": True, "timed_out": False}
        self.plan = plan
        self.pid = _spawn(plan, control)
        self._say(self.exit)  # so that the worker knows that the box stands

    def serve(self) -> None:
        """Answer the worker until it says "end" or is gone."""
        poller = select.poll()
        poller.register(self.control, select.POLLIN)
        while os.getppid() == self.parent:
            ready = poller.poll(_TICK * 1000)
            self._reap()
            if time.monotonic() > self.deadline and not self.exit["timed_out"]:
                self.exit["timed_out"] = True
                self.end()
            if ready:
                line = _read_line(self.control)
                if not line:
                    break
                if not self._answer(json.loads(line)):
                    return
        self.end()

    def _answer(self, message: dict[str, Any]) -> bool:
        if message["do"] == "connect":
            self._connect(message["timeout"])
            return True
        if message["do"] == "run":
            self._say(self._run(message["command"], message["seconds"]))
            return True
        if message["do"] == "end":
            self.end()
            self._say(self.exit | _usage())
            return False
        self._say(self.exit)
        return True

    def _connect(self, timeout: float) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout) as connection:
                socket.send_fds(self.control, [_line({"failure": ""})], [connection.fileno()])
        except ConnectionRefusedError:
            self._say({"failure": "refused"} | self.exit)
        except TimeoutError:
            self._say({"failure": "timeout"} | self.exit)
        except OSError:
            self._say({"failure": "unreachable"} | self.exit)

    def _run(self, command: list[str], seconds: float) -> dict[str, Any]:
        """Run a second command behind the same walls, end its group, and return how it ended and its last words."""
        reading, writing = os.pipe()
        pid = _spawn(self.plan | {"command": command}, self.control, writing)
        os.close(writing)
        limit, output = time.monotonic() + seconds, b""
        poller = select.poll()
        poller.register(reading, select.POLLIN)
        poller.register(self.control, select.POLLHUP)
        status: int | None = None
        while status is None and time.monotonic() < limit:
            ready = dict(poller.poll(20))
            if self.control.fileno() in ready:  # the worker is gone
                break
            status = _ended(pid)
            if reading in ready:
                output = (output + os.read(reading, 65536))[-_MOST_OUTPUT:]
        while select.select([reading], [], [], 0)[0] and (part := os.read(reading, 65536)):
            output = (output + part)[-_MOST_OUTPUT:]
            if time.monotonic() > limit:
                break
        os.close(reading)
        _signal(-pid, signal.SIGKILL)
        if status is None:
            os.waitpid(pid, 0)
        code = None if status is None else os.waitstatus_to_exitcode(status)
        return {"exit_code": code, "output": output.decode("utf-8", "replace")}

    def _say(self, message: dict[str, Any]) -> None:
        with suppress(
            BrokenPipeError, ConnectionResetError
        ):  # the worker is gone; the next read ends us
            self.control.sendall(_line(message))

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                code = os.waitstatus_to_exitcode(status)
                how = {"exit_code": code} if code >= 0 else {"signal": -code}
                self.exit |= {"running": False} | how

    def end(self) -> None:
        """Kill every descendant, also those that left the process group, and wait until all are gone."""
        limit = time.monotonic() + 5.0
        while time.monotonic() < limit:
            _freeze()
            victims = _descendants()
            for pid in victims:
                _signal(pid, signal.SIGKILL)
            _signal(-self.pid, signal.SIGKILL)
            self._reap()
            if not victims and not self.exit["running"]:
                return
            time.sleep(0.002)


def _freeze() -> None:
    """Stop descendants until a look finds no new one: a fork bomb would outrun a plain kill loop."""
    frozen: set[int] = set()
    for _ in range(50):
        fresh = _descendants() - frozen
        if not fresh:
            return
        for pid in fresh:
            _signal(pid, signal.SIGSTOP)
        frozen |= fresh


def _descendants() -> set[int]:
    """Return the pids below this process, without zombies; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            state, parent = entry.read_text(errors="replace").rsplit(")", 1)[1].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(entry.parent.name))
    found: set[int] = set()
    todo = [os.getpid()]
    while todo:
        below = children.get(todo.pop(), [])
        found.update(below)
        todo.extend(below)
    return found


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(-pid, number) if pid < 0 else os.kill(pid, number)


def _usage() -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_memory_bytes": used.ru_maxrss * unit,
    }


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _read_line(control: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        try:
            part = control.recv(65536)
        except ConnectionResetError:
            return b""
        if not part:
            return b""
        data += part
    return data


def _ended(pid: int) -> int | None:
    seen, status = os.waitpid(pid, os.WNOHANG)
    return status if seen else None


def _spawn(plan: dict[str, Any], control: socket.socket, output: int | None = None) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        control.close()
        if output is not None:
            os.dup2(output, 1)
            os.dup2(output, 2)
        for number in (
            signal.SIGPIPE,
            signal.SIGXFSZ,
        ):  # Python ignores them, and exec would keep that
            signal.signal(number, signal.SIG_DFL)
        confine.enter(plan)
        command: list[str] = plan["command"]
        os.execvpe(command[0], command, plan["environment"])  # noqa: S606 - no shell is the point
    except (OSError, ValueError) as error:
        os.write(2, f"the box could not start {plan['command'][0]}: {error}\n".encode())
    finally:
        os._exit(127)


def main(descriptor: int) -> None:
    """Serve the worker at the other end of `descriptor`; its first line is the plan."""
    control = socket.socket(fileno=descriptor)
    line = _read_line(control)
    if not line:
        return
    plan = json.loads(line)
    if plan["warden_uid"] is not None:
        confine.become(plan["warden_uid"])
    confine.guard_warden()
    Warden(control, plan).serve()
