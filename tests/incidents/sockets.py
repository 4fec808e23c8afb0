"""A page's socket as a browser opens it, for tests against a real server."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from django.conf import settings
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from teams.models import User
from tests.browser.fixtures import session_of
from tests.browser.stack import Web

ENTRY = re.compile(r'id="entry-(\d+)"')
LIMIT = 10.0


class Socket:
    """One open socket that keeps everything it was sent."""

    def __init__(self, web: Web, person: User | None, page: str = "any", **options: Any) -> None:
        """Connect as a person (None: nobody), with the server's own origin unless another is given."""
        key = options.pop("session", "") or (session_of(person) if person else "")
        cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={key}"} if key else {}
        address = f"ws://127.0.0.1:{web.port}/ws/?page={page}"
        origin = options.pop("origin", web.url)
        if options.pop("narrow", False):  # takes next to nothing, and never reads by itself
            line = socket.socket()
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect(("127.0.0.1", web.port))
            options |= {"sock": line, "max_queue": 1, "ping_interval": None, "close_timeout": 0.1}
        self._opening = connect(
            address, additional_headers=cookie, origin=origin, max_size=None, **options
        )
        self.line: ClientConnection = self._opening.__enter__()
        self.got: list[str] = []

    def __enter__(self) -> Socket:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opening.__exit__(kind, error, trace)

    def until(self, what: Callable[[str], object], *, limit: float = LIMIT) -> str:
        """Read until everything that was sent, as one text, fulfils `what`; return it."""
        end = time.monotonic() + limit
        while not what(self.text):
            left = end - time.monotonic()
            if left <= 0:
                lengths = [len(text) for text in self.got]
                raise AssertionError(
                    f"not within {limit} s: {lengths}, {self.entries[-3:]}, {self.text[-300:]}"
                )
            try:
                self.got.append(str(self.line.recv(timeout=left)))
            except TimeoutError:
                continue
        return self.text

    @property
    def text(self) -> str:
        """Return everything that was sent so far."""
        return "\n".join(self.got)

    @property
    def entries(self) -> list[int]:
        """Return the timeline entries that were appended, in order of arrival."""
        return [int(number) for number in ENTRY.findall(self.text)]

    def settle(self) -> None:
        """Wait until the hub has taken this socket in: it answers a ping only after its connect was handled."""
        self.line.send("ping")
        self.until(lambda text: "pong" in text)

    def reset(self) -> None:
        """Break the line off without a word, as a phone does that loses its network and comes back."""
        self.line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.line.socket.shutdown(socket.SHUT_RD)
        self.line.socket.close()

    def closed(self, *, limit: float = LIMIT) -> int:
        """Read on until the server closes, and return its code."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            try:
                self.got.append(str(self.line.recv(timeout=end - time.monotonic())))
            except TimeoutError:
                break
            except ConnectionClosed as closed:
                return closed.rcvd.code if closed.rcvd else 1006
        raise AssertionError(f"still open after {limit} s")
