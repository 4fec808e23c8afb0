"""The HTTP front."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler
from typing import ClassVar

from jobs.store import Store


class Handler(BaseHTTPRequestHandler):
    store: ClassVar[Store]
    worker: ClassVar[threading.Thread]

    def do_GET(self) -> None:
        if self.path == "/status":
            self._say(
                200 if self.worker.is_alive() else 503,
                {"status": "ok", "waiting": self.store.waiting.qsize()},
            )
        elif self.path == "/jobs":
            self._say(200, self.store.all())
        else:
            self._say(404, {"error": {"type": "NotFound", "detail": self.path}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._say(202, {"number": self.store.put(body["kind"], body["text"])})

    def _say(self, status: int, content: object) -> None:
        payload = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
