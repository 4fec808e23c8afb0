"""Services, waiting and free ports for tests of runtimes."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from monitoring.values import ServiceSpec

SAMPLES = Path(__file__).resolve().parents[2] / "services"
_numbers = count(1)

# Answers every GET with its process number; one path each for what services do wrong.
PLAIN = """
import http.server, os, signal, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/endless":
            self.send_response(200); self.end_headers()
            while True: self.wfile.write(b"x" * 65536)
        if self.path == "/hang":
            time.sleep(60)
        body = os.environ.get("GREETING", str(os.getpid())).encode() if self.path != "/binary" else bytes(range(256)) * 40
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
print("started", os.getpid(), flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(reached: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Return the first true value; fail when there is none within the limit."""
    limit = time.monotonic() + seconds
    while not (value := reached()):
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.005)
    return value


def spec_of(directory: Path, **changes: Any) -> ServiceSpec:
    """Return the spec of `server.py` in a directory, under a slug that no other test has."""
    number = next(_numbers)
    fields: dict[str, Any] = {
        "id": number,
        "slug": f"sample-{os.getpid()}-{number}",
        "runtime": "local",
        "directory": str(directory),
        "command": ("python3", "server.py", "{port}"),
        "host": "127.0.0.1",
        "port": free_port(),
        "health_path": "/",
        "timeout": 2.0,
        "slow_ms": 1500.0,
        "editable_globs": ("*.py", "config/*.json"),
        "data_globs": ("data/**",),
        "environment": {},
    }
    return ServiceSpec(**(fields | changes))
