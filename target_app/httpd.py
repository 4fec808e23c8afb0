"""HTTP/1.1 over sockets: reads requests, writes answers, and keeps every resource bounded.

A thread a connection, at most `MAX_CONNECTIONS` of them; a body of at most `MAX_BODY` bytes; a
connection that is silent for `IDLE_SECONDS` is closed.
"""

from __future__ import annotations

import logging
import re
import secrets
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from urllib.parse import parse_qsl, urlsplit

import errors
import handler
import logs
from app import VERSION, App
from messages import Request, Response

MAX_BODY = 256 * 1024
MAX_CONNECTIONS = 256
IDLE_SECONDS = 15
_LINGER_SECONDS = 1.0
_LINGER_BYTES = 16 * 1024 * 1024
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_GONE = (ConnectionError, TimeoutError)


class ShopServer(ThreadingHTTPServer):
    """The listening socket and the threads that serve its connections."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], app: App) -> None:
        self.app = app
        self.draining = False
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, Connection)

    def server_bind(self) -> None:
        # HTTPServer would ask the DNS for our own name here, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: object, client_address: object) -> None:
        if not self._slots.acquire(blocking=False):
            logs.event("connection refused", level=logging.WARNING, reason="too many")
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        try:
            super().process_request(request, client_address)  # type: ignore[arg-type]
        except RuntimeError:  # no thread could be started
            self._slots.release()
            raise

    def process_request_thread(self, request: object, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._slots.release()

    def handle_error(self, request: object, client_address: object) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, _GONE):
            logs.event("client gone", level=logging.DEBUG, reason=str(error))
        else:
            logs.event("connection failed", level=logging.ERROR, error=error)


class Connection(BaseHTTPRequestHandler):
    """One connection; its requests are answered one after the other."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1
    server: ShopServer

    def version_string(self) -> str:
        return f"target-shop/{VERSION}"

    def _serve(self) -> None:
        started = time.perf_counter()
        with self.server.app.traffic.one_request():
            request_id = self._request_id()
            response, payload, failure = self._answer(request_id)
            self._send(response, payload, request_id)
            self._log(response.status, started, request_id, failure)
        if self.close_connection:
            self._linger()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve

    def _answer(self, request_id: str) -> tuple[Response, bytes, BaseException | None]:
        """Return the answer, its bytes, and the failure behind an answer of 500 and above."""
        try:
            response = handler.handle(self.server.app, self._read_request(request_id))
            return response, response.encoded(), None
        except errors.ApiError as error:
            response = errors.as_response(error)
            failure = error if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR else None
            return response, response.encoded(), failure
        except _ReadError as error:
            raise error.reason from None
        except Exception as error:  # the outermost boundary: any defect is an answer of 500
            response = errors.as_response(error)
            return response, response.encoded(), error

    def _read_request(self, request_id: str) -> Request:
        try:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=50))
        except ValueError as error:
            raise errors.BadRequestError(f"the address cannot be read: {error}") from error
        return Request(
            method=self.command,
            path=parts.path,
            request_id=request_id,
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._read_body(),
        )

    def _read_body(self) -> bytes:
        length = self._body_length()
        try:
            body = self.rfile.read(length)
        except _GONE as error:
            raise _ReadError(error) from error
        if len(body) < length:
            raise _ReadError(ConnectionResetError("the body ended early"))
        return body

    def _body_length(self) -> int:
        """Return the announced length; after any refusal the connection is closed.

        What follows a body of unknown length cannot be told from the next request.
        """
        lengths = self.headers.get_all("Content-Length", ["0"])
        keep, self.close_connection = self.close_connection, True
        if "Transfer-Encoding" in self.headers:
            raise errors.LengthRequiredError("send the body with a Content-Length, not in chunks")
        if len(set(lengths)) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            raise errors.BadRequestError("Content-Length must be one whole number")
        if len(lengths[0]) > 18 or int(lengths[0]) > MAX_BODY:
            raise errors.BodyTooLargeError(f"the body may have up to {MAX_BODY} bytes")
        self.close_connection = keep
        return int(lengths[0])

    def _send(self, response: Response, payload: bytes, request_id: str) -> None:
        if self.server.draining:
            self.close_connection = True
        self.send_response(response.status)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(len(payload)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": request_id,
            **response.headers,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is not HTTP in our JSON too; the base class calls this while parsing."""
        self.close_connection = True
        self.request_version = self.protocol_version
        detail = message or HTTPStatus(code).phrase
        response = Response(code, {"error": {"type": "ProtocolError", "detail": detail}})
        request_id = secrets.token_hex(8)
        self._send(response, response.encoded(), request_id)
        self._log(code, time.perf_counter(), request_id, None)

    def _linger(self) -> None:
        """Read what the client is still sending, or closing would destroy our answer on its way."""
        deadline = time.monotonic() + _LINGER_SECONDS
        left = _LINGER_BYTES
        try:
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(_LINGER_SECONDS)
            while left > 0 and time.monotonic() < deadline:
                read = len(self.connection.recv(65536))
                if read == 0:
                    return
                left -= read
        except OSError:
            return  # the client is gone, which is all that was waited for

    def _request_id(self) -> str:
        given = self.headers.get("X-Request-Id", "")
        return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)

    def _log(
        self, status: int, started: float, request_id: str, failure: BaseException | None
    ) -> None:
        logs.event(
            "request",
            level=logging.ERROR if failure else logging.INFO,
            error=failure,
            method=self.command,
            path=getattr(self, "path", None),
            status=int(status),
            ms=round((time.perf_counter() - started) * 1000, 2),
            request_id=request_id,
        )

    def log_message(self, format: str, *args: object) -> None:
        logs.event("http", level=logging.DEBUG, detail=format % args)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: `_log` writes the one line of a request, with its duration."""


class _ReadError(Exception):
    """The client went away while it was sending; there is nobody to answer."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason
