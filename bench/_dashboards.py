"""Many open dashboards in a process of their own: raw websockets that note when each marker came, and some that take nothing."""

from __future__ import annotations

import base64
import os
import re
import selectors
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

MARKER = re.compile(rb"tick-(\d{6})")
TAIL = 13  # a marker may be cut in two by the network
CHUNK = 262_144
PING = re.compile(rb"\x89(?:\x04(.{4})|\x0c(.{12}))", re.DOTALL)
"""What a server asks every 20 s, uvicorn with 4 bytes and daphne with 12; unless they are sent back it takes a page for gone."""


@dataclass
class _Line:
    """One open socket: what of its stream may still be the beginning of a marker, and the newest that it saw."""

    link: socket.socket
    tail: bytes = b""
    seen: set[int] = field(default_factory=set)


def run(pipe: Connection, port: int, lines: list[tuple[str, str]], stalled: int) -> None:
    """Open (cookie, page) as dashboards, say so, and send {marker: [monotonic seconds]} when the other end says stop.

    The first `stalled` of them are never read from.
    """
    links = [
        _connect(port, cookie, page, small=n < stalled) for n, (cookie, page) in enumerate(lines)
    ]
    pipe.send(len(links))
    selector = selectors.DefaultSelector()
    for link in links[stalled:]:
        link.settimeout(0)
        selector.register(link, selectors.EVENT_READ, _Line(link))
    times: dict[int, list[float]] = {}
    while not pipe.poll():
        for key, _ in selector.select(timeout=0.05):
            _read(key.data, times, selector)
    pipe.send((times, len(selector.get_map())))


def _connect(port: int, cookie: str, page: str, *, small: bool) -> socket.socket:
    link = socket.socket()
    if small:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.settimeout(20)
    link.connect(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET /ws/?page={page} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        f"Origin: http://127.0.0.1:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        f"Cookie: {cookie}",
    )
    link.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += link.recv(4096)
    assert b" 101 " in answer.split(b"\r\n")[0] + b" ", answer[:200]
    return link


def _read(line: _Line, times: dict[int, list[float]], selector: selectors.BaseSelector) -> None:
    try:
        data = line.link.recv(CHUNK)
    except BlockingIOError:
        return
    except ConnectionError:
        data = b""
    if not data:
        selector.unregister(line.link)
        return
    now = time.monotonic()
    data = line.tail + data
    if ping := PING.search(data):
        with suppress(BlockingIOError, ConnectionError):
            said = ping[1] or ping[2]
            line.link.send(bytes((0x8A, 0x80 + len(said), 0, 0, 0, 0)) + said)
    line.tail = data[-TAIL:]
    for found in MARKER.finditer(data):
        number = int(found[1])
        if number not in line.seen:
            line.seen.add(number)
            times.setdefault(number, []).append(now)
