"""One HTTP exchange over an already connected socket, with a deadline for all of it and a limit on bytes."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote

from monitoring.values import Answer, HttpRequest

_OURS = {"host", "content-length", "connection", "transfer-encoding"}
_PRINTABLE = "".join(chr(code) for code in range(33, 127))


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What one exchange may take: seconds in all, bytes of body. `host` is what the request says it talks to."""

    timeout: float
    max_bytes: int = 1_000_000
    host: str = "127.0.0.1"


def exchange(connection: socket.socket, request: HttpRequest, bounds: Bounds) -> Answer:
    """Send the request, return the answer and close the socket; the far side's faults become `Answer.failure`."""
    begun = time.monotonic()
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    # A timeout per read is not enough: a service that drips one byte a second would never reach it.
    watchdog = threading.Timer(bounds.timeout, cut)
    watchdog.daemon = True
    watchdog.start()
    try:
        answer = _talk(connection, request, bounds, begun)
    except (http.client.HTTPException, OSError, ValueError) as error:
        failure = "timeout" if late.is_set() else failure_of(error)
        return Answer(failure=failure, elapsed_ms=_since(begun))
    finally:
        watchdog.cancel()
        connection.close()
    if late.is_set():  # a body without a length ends like a complete one when it is cut
        return Answer(failure="timeout", elapsed_ms=_since(begun))
    return answer


def failure_of(error: Exception) -> str:
    """Return the word of `Answer.failure` for an error of the network or of the protocol."""
    match error:
        case TimeoutError():
            return "timeout"
        case ConnectionRefusedError():
            return "refused"
        case ConnectionResetError() | BrokenPipeError() | http.client.IncompleteRead():
            return "reset"
        case http.client.HTTPException() | ValueError():
            return "malformed"
        case _:
            return "unreachable"


def _talk(connection: socket.socket, request: HttpRequest, bounds: Bounds, begun: float) -> Answer:
    connection.settimeout(bounds.timeout)
    client = http.client.HTTPConnection(bounds.host)
    client.sock = connection
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _OURS}
    client.request(
        request.method,
        quote(request.path, safe=_PRINTABLE),
        body=request.body or (b"" if request.method in {"POST", "PUT", "PATCH"} else None),
        headers=headers | {"Host": bounds.host, "Connection": "close"},
    )
    with client.getresponse() as response:
        body, truncated = _body(response, bounds.max_bytes)
        return Answer(
            status=response.status,
            headers={name.lower(): value for name, value in response.getheaders()},
            body=body,
            elapsed_ms=_since(begun),
            truncated=truncated,
        )


def _body(response: http.client.HTTPResponse, limit: int) -> tuple[bytes, bool]:
    body = response.read(limit + 1)
    if len(body) <= limit and response.length:
        raise http.client.IncompleteRead(body, response.length)
    return body[:limit], len(body) > limit


def _since(begun: float) -> float:
    return round((time.monotonic() - begun) * 1000, 3)
