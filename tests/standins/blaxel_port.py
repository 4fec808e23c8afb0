"""The port proxy of a stand-in sandbox: a real one, which streams, and answers 502 when nobody listens."""

from __future__ import annotations

import http.client
from pathlib import Path

from tests.standins.server import Handler, Received, Send, as_json

_OURS = {"host", "connection", "content-length", "transfer-encoding"}
_LISTEN = "0A"


def proxy(port: int, target: str, request: Received, *, routable_only: bool) -> Send:
    """Return what passes the request on to a port and its answer back."""

    def send(handler: Handler) -> None:
        if routable_only and not _is_routable(port):
            return _failed(handler, 502, "UPSTREAM_CONNECT_FAILED")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.connect()
        except OSError:
            return _failed(handler, 502, "UPSTREAM_CONNECT_FAILED")
        try:
            _pass_on(connection, handler, target, request)
        except (http.client.HTTPException, ConnectionResetError):
            _failed(handler, 502, "UPSTREAM_ERROR")
        finally:
            connection.close()
            handler.close_connection = True

    return send


def _pass_on(
    connection: http.client.HTTPConnection, handler: Handler, target: str, request: Received
) -> None:
    headers = {
        name: value
        for name, value in request.headers.items()
        if name not in _OURS and not name.startswith(("x-blaxel", "blaxel-"))
    }
    connection.request(request.method, target, body=request.body or None, headers=headers)
    answer = connection.getresponse()
    handler.send_response(answer.status)
    for name, value in answer.getheaders():
        if name.lower() not in {"connection", "transfer-encoding", "date", "server"}:
            handler.send_header(name, value)
    handler.send_header("Connection", "close")
    handler.end_headers()
    while chunk := answer.read1(65_536):
        handler.wfile.write(chunk)


def _failed(handler: Handler, status: int, code: str) -> None:
    as_json({"error": {"code": code}}, status=status)(handler)


def _is_routable(port: int) -> bool:
    """Return whether something listens on the port on more than loopback."""
    rows = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path("/proc/net", name).read_text().splitlines()[1:]
    ]
    listening = (row[1].split(":") for row in rows if row[3] == _LISTEN)
    return any(int(number, 16) == port and set(host) == {"0"} for host, number in listening)
