"""A webhook receiver on the loopback: a real HTTP server that keeps what it was sent and answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """What arrived, and what to answer next (the last entry goes on for ever)."""

    def __init__(self, port: int) -> None:
        """Answer 200 until told otherwise."""
        self.port = port
        self.received: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.answers: list[int] = [200]

    @property
    def address(self) -> str:
        """Return the Apprise address that leads here."""
        return f"json://127.0.0.1:{self.port}/hook/very-secret-path"

    def next_answer(self) -> int:
        """Return the next status."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def running() -> Iterator[Webhook]:
    """Have a receiver for a while."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    hook = Webhook(server.server_address[1])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.paths.append(self.path)
            hook.received.append(json.loads(body))
            status = hook.next_answer()
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", f"http://127.0.0.1:{hook.port}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server.RequestHandlerClass = Handler
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
