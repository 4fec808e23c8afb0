"""The processes of a stand-in sandbox: real ones, in groups of their own, with the API's words for how they are."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.standins.server import Received, Send, as_json

_KEYS = {"command", "name", "workingDir", "env", "waitForCompletion", "timeout", "waitForPorts"}
_KEYS |= {"keepAlive", "restartOnFailure", "maxRestarts", "stdin"}
_DATE = "%a, %d %b %Y %H:%M:%S GMT"
_TAIL = 64 * 1024


@dataclass
class Running:
    """One process."""

    name: str
    command: str
    folder: str
    process: subprocess.Popen[bytes]
    out: Path
    err: Path
    status: str = "running"
    started: float = field(default_factory=time.time)
    completed: float | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Wait for the end and note it as the API does."""
        code = self.process.wait()
        self.completed = time.time()
        if code == 0:
            self.status = "completed"
        elif self.status not in {"stopped", "killed"}:
            self.status = "failed"
        self.done.set()

    def describe(self, tail: int | None) -> dict[str, Any]:
        """Return what the API says; output is null when it was not asked to wait."""
        # Before the code: a process that ends in between is not said to have failed with 0.
        status = self.status
        code = self.process.returncode
        shown: dict[str, Any] = {"logs": None, "stdout": None, "stderr": None}
        if tail is not None:
            out, err = (
                path.read_bytes()[-tail:].decode("utf-8", "replace")
                for path in (self.out, self.err)
            )
            shown = {"logs": out + err, "stdout": out, "stderr": err}
        return {
            "pid": str(self.process.pid),
            "name": self.name,
            "command": self.command,
            "status": status,
            "startedAt": time.strftime(_DATE, time.gmtime(self.started)),
            "completedAt": time.strftime(_DATE, time.gmtime(self.completed))
            if self.completed
            else "",
            "exitCode": 0 if code is None else max(code, -1),
            "workingDir": self.folder,
            **shown,
        }

    def signal(self, number: int, word: str) -> None:
        """Signal the whole group."""
        self.status = word
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


@dataclass
class Processes:
    """Answers `/process...`."""

    root: Path
    path: str = ""
    known: dict[str, Running] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: Received, path: str) -> Send:
        if path == "/process":
            if request.method == "POST":
                return self._execute(request)
            return as_json([one.describe(_TAIL) for one in self.known.values()])
        match = re.fullmatch(r"/process/([^/]+)(/logs|/kill|)", path)
        found = self._find(match[1]) if match else None
        if match is None or found is None:
            return as_json({"error": "process not found"}, status=404)
        if request.method == "DELETE":
            return _end(found, by_force=match[2] == "/kill")
        if match[2] == "/logs":
            shown = found.describe(50_000_000)
            return as_json({name: shown[name] for name in ("logs", "stdout", "stderr")})
        return as_json(found.describe(_TAIL))

    def _find(self, identifier: str) -> Running | None:
        by_pid = (one for one in self.known.values() if str(one.process.pid) == identifier)
        return self.known.get(identifier) or next(by_pid, None)

    def _execute(self, request: Received) -> Send:
        body = request.json
        if not isinstance(body, dict) or not body.get("command") or set(body) - _KEYS:
            return as_json({"error": "invalid request body"}, status=400)
        name = body.get("name") or f"proc-{len(self.known)}"
        with self._lock:
            old = self.known.get(name)
            if old and old.status == "running":
                words = f"process with name '{name}' already exists and is running"
                return as_json({"error": words}, status=400)
            try:
                started = self._start(name, body)
            except OSError as error:
                return as_json({"error": f"failed to start process: {error}"}, status=422)
            self.known[name] = started
        limit = body.get("timeout") or None
        if not body.get("waitForCompletion"):
            if limit and body.get("keepAlive"):
                threading.Timer(limit, started.signal, (signal.SIGKILL, "killed")).start()
            return as_json(started.describe(None))
        if not started.done.wait(limit):
            words = f"process timed out after {limit} seconds"
            return as_json({"error": words}, status=422)  # and it runs on, as the real one does
        return as_json(started.describe(50_000_000))

    def _start(self, name: str, body: dict[str, Any]) -> Running:
        folder = self.root / body.get("workingDir", "/").lstrip("/")
        number = len(self.known)
        out, err = (self.root / f".{number}.{kind}" for kind in ("out", "err"))
        path = f"{self.path}:{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(  # noqa: S603
                ["/bin/sh", "-c", body["command"]],
                cwd=folder,
                env={"PATH": path, "HOME": str(self.root), **(body.get("env") or {})},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        made = Running(name, body["command"], str(folder), process, out, err)
        threading.Thread(target=made.watch, daemon=True).start()
        return made

    def end_all(self) -> None:
        """End every process, as the end of a sandbox does."""
        for one in self.known.values():
            if not one.done.is_set():
                one.signal(signal.SIGKILL, "killed")
                one.done.wait(5)


def _end(found: Running, *, by_force: bool) -> Send:
    if found.status != "running" and not by_force:
        return as_json({"error": f"process {found.name} is not running"}, status=404)
    if found.done.is_set():
        return as_json({"error": f"process {found.name} has no OS process"}, status=404)
    found.signal(*((signal.SIGKILL, "killed") if by_force else (signal.SIGTERM, "stopped")))
    return as_json(
        {"message": "Process killed successfully" if by_force else "Process stopped successfully"}
    )
