"""Ask the web server whether the whole stack answers, without ever waiting for it."""

from __future__ import annotations

import contextlib
import select
import socket
import time

ANSWER_LIMIT = 6.0
REQUEST = b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"


class Health:
    """The answer of `/healthz`, asked again and again; call it until it returns True.

    It never blocks, because the supervisor that calls it must notice Ctrl-C and crashes meanwhile.
    """

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._answer = b""
        self._asked = 0.0
        self.problem = "the web server does not answer"

    def __call__(self) -> bool:
        if self._socket is None:
            self._ask()
            return False
        with contextlib.suppress(OSError):
            if select.select([self._socket], [], [], 0)[0]:
                chunk = self._socket.recv(65536)
                self._answer += chunk
                if chunk:
                    return False
            elif time.monotonic() - self._asked < ANSWER_LIMIT:
                return False
        return self._judge()

    def _ask(self) -> None:
        self._answer, self._asked = b"", time.monotonic()
        try:
            self._socket = socket.create_connection(self._address, timeout=1)
            self._socket.sendall(REQUEST)
        except OSError as error:
            self.problem = f"the web server does not answer ({error.strerror or error})"
            self._close()

    def _judge(self) -> bool:
        self._close()
        head, _, body = self._answer.partition(b"\r\n\r\n")
        status = head.split(b"\r\n")[0].decode("latin-1")
        if " 200 " in f"{status} ":
            return True
        said = " ".join(body.decode("utf-8", "replace").split())[:300]
        self.problem = (
            f"/healthz says {status} {said}" if status else "/healthz gives no answer in time"
        )
        return False

    def _close(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None
