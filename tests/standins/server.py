"""A small HTTP server on the loopback that plays a vendor: it records every byte and misbehaves on request."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Send = Callable[["Handler"], None]


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


@dataclass
class StandIn:
    """A server that answers by `answer`, a method of the subclass. Use as a context manager."""

    requests: list[Received] = field(default_factory=list)
    raw: bytearray = field(default_factory=bytearray)
    stopping: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: Received) -> Send:
        """Return what to send back."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.stand_in = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Return the address without a trailing slash."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    stand_in: StandIn

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away are what many tests are about."""


class _Recorder:
    """Reads for the handler and keeps what was read."""

    def __init__(self, inner: Any, kept: bytearray) -> None:
        self._inner, self._kept = inner, kept

    def readline(self, limit: int = -1) -> bytes:
        line: bytes = self._inner.readline(limit)
        self._kept.extend(line)
        return line

    def read(self, count: int) -> bytes:
        data: bytes = self._inner.read(count)
        self._kept.extend(data)
        return data

    def close(self) -> None:
        self._inner.close()

    @property
    def closed(self) -> bool:
        return bool(self._inner.closed)


class Handler(BaseHTTPRequestHandler):
    """Reads one request after the other and lets the stand-in say what to send."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.rfile = _Recorder(self.rfile, self.server.stand_in.raw)  # type: ignore[assignment]

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Received(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )
        stand_in = self.server.stand_in
        stand_in.requests.append(request)
        with suppress(BrokenPipeError, ConnectionResetError):
            stand_in.answer(request)(self)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _any

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def respond(
    body: bytes, *, status: int = 200, kind: str = "application/json", **headers: str
) -> Send:
    """Return a complete answer; header names are given with underscores."""

    def send(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return send


def as_json(value: object, *, status: int = 200, **headers: str) -> Send:
    """Return an answer in JSON."""
    return respond(json.dumps(value).encode(), status=status, **headers)


def hang(handler: Handler) -> None:
    """Send nothing until the stand-in stops."""
    handler.server.stand_in.stopping.wait(120)
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """Send a body byte by byte, each soon enough to please a timeout per read."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while not handler.server.stand_in.stopping.wait(0.1):
        handler.wfile.write(b" ")
        handler.wfile.flush()
    handler.close_connection = True


def reset(handler: Handler) -> None:
    """Cut the connection without a word, by a TCP reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def truncated(handler: Handler) -> None:
    """Promise more than is sent, then close."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    handler.wfile.write(b'{"id": "msg_1", "type": "mess')
    handler.close_connection = True


def endless(handler: Handler) -> None:
    """Send a body without end."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    chunk = b'{"a": "' + b"x" * 65_536
    while not handler.server.stand_in.stopping.is_set():
        handler.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
