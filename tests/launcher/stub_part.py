"""Stand-in for a process of the stack, copied into a throwaway checkout: it notes what happens to it.

Notes go to `trace` in the data folder: "start NAME PID", "stop NAME", "ran NAME". What a part does wrong comes from
the environment: STUB_CRASH, STUB_FAIL, STUB_STUBBORN and STUB_STUCK_ONCE each name one part; STUB_LAST_WORDS is what
one that fails says.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import FrameType

DATA = Path(os.environ["AGENTOPS_DATA"])


def trace(line: str) -> None:
    with (DATA / "trace").open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def live(name: str) -> None:
    """Run until SIGTERM."""
    trace(f"start {name} {os.getpid()}")
    if os.environ.get("STUB_CRASH") == name:
        sys.exit(os.environ.get("STUB_LAST_WORDS", f"{name} finds no bread"))
    ended = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        trace(f"stop {name}")
        if os.environ.get("STUB_STUBBORN") != name:
            ended.set()

    signal.signal(signal.SIGTERM, stop)
    if name == "agent":  # a worker has children of its own
        pool = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
        trace(f"start pool {pool.pid}")
    while not ended.wait(0.05):
        pass


def step(name: str) -> None:
    """Run once."""
    trace(f"ran {name}")
    if os.environ.get("STUB_FAIL") == name:
        sys.exit(os.environ.get("STUB_LAST_WORDS", f"{name} lost its way"))
    stuck = DATA / "stuck"
    if os.environ.get("STUB_STUCK_ONCE") == name and not stuck.exists():
        stuck.touch()
        signal.pause()


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
        self.wfile.write(b'{"ok": true}')


def serve(host: str, port: int) -> None:
    trace(f"env {sorted(os.environ)}")
    server = HTTPServer((host, port), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    live("web")
