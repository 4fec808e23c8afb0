"""A stand-in for Blaxel: control plane and data plane on one address, strict about headers, names and shapes.

Each sandbox is a folder of its own with real files and real processes; `/port/N` is a real proxy. Written after the
sources of the vendor's `sandbox-api`. `faults` misbehaves on demand: the first entry whose test matches is sent instead.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.standins.blaxel_files import Files
from tests.standins.blaxel_port import proxy
from tests.standins.blaxel_processes import Processes
from tests.standins.server import Received, Send, StandIn, as_json

KEY = "test-key-of-blaxel"
WORKSPACE = "test-workspace"
VERSION = "2026-09-22"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RUNTIME_KEYS = {"image", "memory", "ports", "envs", "ttl", "expires"}
_SPEC_KEYS = {"enabled", "runtime", "region", "lifecycle", "network", "volumes"}


@dataclass
class Sandbox:
    """One sandbox: its record, its folder, its processes."""

    record: dict[str, Any]
    root: Path
    processes: Processes
    files: Files


@dataclass(kw_only=True)
class Fault:
    """What to send in place of an answer, and to which requests; `times` None means always."""

    send: Send
    when: Callable[[Received], bool] = field(default=lambda _request: True)
    times: int | None = None


@dataclass
class BlaxelStandIn(StandIn):
    """Plays Blaxel. `routable_only`: the port proxy reaches only what listens on all addresses, as the real one."""

    faults: list[Fault] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    sandboxes: dict[str, Sandbox] = field(default_factory=dict)
    routable_only: bool = False
    path: str = ""
    _top: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="blaxel-")))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __exit__(self, *details: object) -> None:
        for sandbox in self.sandboxes.values():
            sandbox.processes.end_all()
        super().__exit__(*details)
        shutil.rmtree(self._top, ignore_errors=True)

    @property
    def api_url(self) -> str:
        """Return the address of the control plane."""
        return f"{self.url}/v0"

    def misbehave(
        self, send: Send, where: str = "", method: str = "", times: int | None = None
    ) -> None:
        """Send this to requests whose path contains `where`."""

        def when(request: Received) -> bool:
            return where in unquote(request.path) and method in {"", request.method}

        self.faults.append(Fault(send=send, when=when, times=times))

    def asked(self, where: str, method: str = "") -> int:
        """Return how many requests had `where` in their path."""
        return sum(where in unquote(r.path) and method in {"", r.method} for r in self.requests)

    def delete(self, name: str) -> Sandbox:
        """End a sandbox with all that is in it."""
        gone = self.sandboxes.pop(name)
        gone.processes.end_all()
        shutil.rmtree(gone.root)
        return gone

    def answer(self, request: Received) -> Send:
        """Answer one request as Blaxel would."""
        for fault in self.faults:
            if fault.times != 0 and fault.when(request):
                fault.times = None if fault.times is None else fault.times - 1
                return fault.send
        if problem := _unauthorised(request):
            return as_json(
                {"error": {"code": "AUTHENTICATION_FAILED", "message": problem}, "code": 401},
                status=401,
            )
        parts = urlsplit(request.path)
        if parts.path.startswith("/v0/"):
            return self._control(request, parts.path.removeprefix("/v0"), parse_qs(parts.query))
        match = re.fullmatch(rf"/{WORKSPACE}/sandboxes/([^/]+)(/.*)", parts.path)
        sandbox = self.sandboxes.get(match[1]) if match else None
        if match is None or sandbox is None:
            return as_json({"error": {"code": "WORKLOAD_NOT_FOUND"}}, status=404)
        return self._data(sandbox, request, match[2], parts.query)

    def _refuse(self, why: str, status: int = 400) -> Send:
        self.refused.append(why)
        return as_json({"code": status, "error": why, "message": why}, status=status)

    def _control(self, request: Received, path: str, query: dict[str, list[str]]) -> Send:
        with self._lock:  # two copies of a trial may ask for the same sandbox at the same moment
            return self._controlled(request, path, query)

    def _controlled(self, request: Received, path: str, query: dict[str, list[str]]) -> Send:
        if request.method == "POST" and path == "/sandboxes":
            return self._create(request, exists=query.get("createIfNotExist") == ["true"])
        name = path.removeprefix("/sandboxes/")
        if name not in self.sandboxes or "/" in name:
            return as_json(
                {"code": 404, "error": "Not Found", "message": "no such sandbox"}, status=404
            )
        if request.method == "DELETE":
            return as_json({**self.delete(name).record, "status": "DELETING"})
        return as_json(self.sandboxes[name].record)

    def _create(self, request: Received, *, exists: bool) -> Send:
        body = request.json
        name, spec = body["metadata"].get("name", ""), body["spec"]
        if problem := _wrong(name, spec):
            return self._refuse(problem)
        if name in self.sandboxes:
            return as_json(self.sandboxes[name].record) if exists else self._refuse("exists", 409)
        root = self._top / name
        root.mkdir()
        record = {
            "metadata": {
                "name": name,
                "url": f"{self.url}/{WORKSPACE}/sandboxes/{name}",
                "workspace": WORKSPACE,
            },
            "spec": spec,
            "status": "DEPLOYED",
        }
        processes = Processes(root, self.path)
        self.sandboxes[name] = Sandbox(record, root, processes, Files(root))
        return as_json(record)

    def _data(self, sandbox: Sandbox, request: Received, path: str, query: str) -> Send:
        if port := re.fullmatch(r"/port/(\d+)(/.*)", path):
            target = port[2] + (f"?{query}" if query else "")
            return proxy(int(port[1]), target, request, routable_only=self.routable_only)
        if path.startswith("/filesystem"):
            return sandbox.files.answer(request, unquote(path), query)
        if path == "/process" or path.startswith("/process/"):
            return sandbox.processes.answer(request, unquote(path))
        return as_json({"error": "no such route"}, status=404)


def _unauthorised(request: Received) -> str:
    if request.headers.get("x-blaxel-authorization") != f"Bearer {KEY}":
        return "wrong key"
    if request.headers.get("x-blaxel-workspace") != WORKSPACE:
        return "wrong workspace"
    return "" if request.headers.get("blaxel-version") == VERSION else "no version"


def _wrong(name: str, spec: dict[str, Any]) -> str:
    runtime = spec.get("runtime") or {}
    if not _NAME.fullmatch(name) or len(name) > 49:
        return f"bad name {name!r}"
    if set(spec) - _SPEC_KEYS or set(runtime) - _RUNTIME_KEYS:
        return f"unknown keys {sorted(set(spec) | set(runtime))}"
    if (
        not runtime.get("image")
        or not isinstance(runtime.get("memory"), int)
        or not spec.get("region")
    ):
        return "image, memory and region are needed"
    ports = runtime.get("ports") or []
    if any(not isinstance(one.get("target"), int) for one in ports):
        return "a port needs a number"
    policies = (spec.get("lifecycle") or {}).get("expirationPolicies", [])
    if any({"type", "value", "action"} != set(one) for one in policies):
        return "a policy has type, value and action"
    return ""


def error(status: int, code: str) -> Send:
    """Return an answer of the gateway."""
    return as_json(
        {"error": {"code": code, "message": code.lower()}, "code": status}, status=status
    )


def text(value: object) -> bytes:
    """Return JSON as bytes."""
    return json.dumps(value).encode()
