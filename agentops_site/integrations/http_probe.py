"""Asks many services at once over one libcurl multi handle: the default prober.

Every probe opens a connection of its own. A kept connection would hide a service that no longer accepts, would break
on the first probe after a restart, and would occupy the only thread of a single-threaded server between probes.
"""

from __future__ import annotations

import heapq
import resource
import selectors
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from errno import ECONNREFUSED, ECONNRESET, EPIPE
from typing import Any
from urllib.parse import quote

import pycurl

from monitoring.ports import Call
from monitoring.values import Answer

OnAnswer = Callable[[Call, Answer], None]
MAX_HEADER_BYTES = 64_000
_SPARE_HANDLES: deque[Any] = deque(maxlen=512)  # making a handle costs more than a request on it
_URL_SAFE = "%/:=&?~#+!$,;'@()*[]"
_RESET = {pycurl.E_GOT_NOTHING, pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR, pycurl.E_PARTIAL_FILE}
_UNREACHABLE = {
    pycurl.E_COULDNT_RESOLVE_HOST,
    pycurl.E_SSL_CONNECT_ERROR,
    pycurl.E_PEER_FAILED_VERIFICATION,
}


class CurlProber:
    """Sends every call at its own start time and hands each answer over as it comes.

    Holds at most `max_open` transfers at once: a file limit that is reached would look like a refused connection, and
    a healthy service would be called down for want of our own file descriptors.
    """

    def __init__(self, max_open: int | None = None) -> None:
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._max_open = max_open or max(8, min(1000, soft // 2))

    def ask(self, calls: Sequence[Call], on_answer: OnAnswer) -> None:
        """Send every call, hand over each answer, and return when the last has come."""
        _Round(calls, on_answer, self._max_open).run()


@dataclass
class _Transfer:
    """One call on the wire, with what has come so far."""

    call: Call
    handle: Any
    headers: dict[str, str] = field(default_factory=dict)
    header_bytes: int = 0
    body: bytearray = field(default_factory=bytearray)
    truncated: bool = False
    too_large: bool = False

    def on_header(self, line: bytes) -> int | None:
        self.header_bytes += len(line)
        if self.header_bytes > MAX_HEADER_BYTES:
            self.too_large = True
            return -1
        if line.startswith(b"HTTP/"):
            self.headers.clear()  # an interim answer (100, 103) came before
            return None
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            self.headers[name.strip().lower()] = value.strip()
        return None

    def on_body(self, chunk: bytes) -> int | None:
        room = self.call.max_bytes - len(self.body)
        self.body += chunk[:room]
        if len(chunk) > room:
            self.truncated = True
            return -1  # ends the transfer: an endless answer must not be read for ever
        return None

    def answer(self, code: int) -> Answer:
        """Return the answer for the way in which libcurl ended."""
        failure = "" if code == 0 or self.truncated else self._failure(code)
        total, before = (self.handle.getinfo(i) for i in (pycurl.TOTAL_TIME, _PRETRANSFER))
        answered = failure == ""
        return Answer(
            status=self.handle.getinfo(pycurl.RESPONSE_CODE) if answered else None,
            headers=self.headers,
            body=bytes(self.body),
            elapsed_ms=max(0.0, total - before) * 1000 if answered else total * 1000,
            failure=failure,
            truncated=self.truncated,
        )

    def _failure(self, code: int) -> str:
        if self.too_large:
            return "too_large"
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return "timeout"
        if code == pycurl.E_COULDNT_CONNECT:
            return _connect_failure(self.handle.getinfo(pycurl.OS_ERRNO))
        if code in _RESET:
            return "reset"
        return "unreachable" if code in _UNREACHABLE else "malformed"


_PRETRANSFER = pycurl.PRETRANSFER_TIME


def _connect_failure(errno: int) -> str:
    if errno in {ECONNRESET, EPIPE}:
        return "reset"
    return "refused" if errno == ECONNREFUSED else "unreachable"


class _Round:
    """One run of `ask`: libcurl's sockets and timer, driven by an epoll loop."""

    def __init__(self, calls: Sequence[Call], on_answer: OnAnswer, max_open: int) -> None:
        self._on_answer = on_answer
        self._max_open = max_open
        self._began = time.monotonic()
        self._waiting = [(call.start_in, number, call) for number, call in enumerate(calls)]
        heapq.heapify(self._waiting)
        self._open: dict[Any, _Transfer] = {}
        self._timer: float | None = None
        self._selector = selectors.DefaultSelector()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)

    def run(self) -> None:
        try:
            while self._waiting or self._open:
                self._start_due()
                self._turn()
                self._collect()
        finally:
            for transfer in self._open.values():
                self._multi.remove_handle(transfer.handle)
            self._multi.close()
            self._selector.close()

    def _watch(self, event: int, sock: int, _multi: object, _data: object) -> None:
        known = sock in self._selector.get_map()
        if event == pycurl.POLL_REMOVE:
            if known:
                self._selector.unregister(sock)
            return
        wanted = (selectors.EVENT_READ if event & pycurl.POLL_IN else 0) | (
            selectors.EVENT_WRITE if event & pycurl.POLL_OUT else 0
        )
        if known:
            self._selector.modify(sock, wanted)
        elif wanted:
            self._selector.register(sock, wanted)

    def _set_timer(self, milliseconds: int) -> None:
        self._timer = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000

    def _start_due(self) -> None:
        elapsed = time.monotonic() - self._began
        while self._waiting and self._waiting[0][0] <= elapsed and len(self._open) < self._max_open:
            _, _, call = heapq.heappop(self._waiting)
            self._start(call)

    def _start(self, call: Call) -> None:
        handle = _SPARE_HANDLES.pop() if _SPARE_HANDLES else pycurl.Curl()
        transfer = _Transfer(call=call, handle=handle)
        try:
            _prepare(transfer)
        except (ValueError, UnicodeError, pycurl.error):  # e.g. a line break in a header
            self._on_answer(call, Answer(failure="malformed"))
            return
        self._open[handle] = transfer
        self._multi.add_handle(handle)

    def _turn(self) -> None:
        """Wait for a socket, libcurl's timer or the next start, and let libcurl go on."""
        now = time.monotonic()
        moments = [] if self._timer is None else [self._timer]
        if self._waiting and len(self._open) < self._max_open:
            moments.append(self._began + self._waiting[0][0])
        wait = max(0.0, min(moments) - now) if moments else None
        if wait is None and not self._open:
            return
        for key, events in self._selector.select(wait):
            mask = (pycurl.CSELECT_IN if events & selectors.EVENT_READ else 0) | (
                pycurl.CSELECT_OUT if events & selectors.EVENT_WRITE else 0
            )
            self._multi.socket_action(key.fd, mask)
        if self._timer is not None and time.monotonic() >= self._timer:
            self._timer = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _collect(self) -> None:
        while True:
            left, done, failed = self._multi.info_read(256)
            for handle in done:
                self._finish(handle, 0)
            for handle, code, _message in failed:
                self._finish(handle, code)
            if not left:
                return

    def _finish(self, handle: Any, code: int) -> None:
        transfer = self._open.pop(handle)
        answer = transfer.answer(code)
        self._multi.remove_handle(handle)
        handle.reset()
        _SPARE_HANDLES.append(handle)
        self._on_answer(transfer.call, answer)


def _prepare(transfer: _Transfer) -> None:
    """Set up the handle; raise ValueError for a request that HTTP cannot carry."""
    call, handle, request = transfer.call, transfer.handle, transfer.call.request
    handle.setopt(pycurl.URL, call.base_url + quote(request.path, safe=_URL_SAFE))
    handle.setopt(pycurl.HTTPHEADER, _header_lines(request.headers))
    handle.setopt(pycurl.TIMEOUT_MS, max(1, int(call.timeout * 1000)))
    handle.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(call.timeout * 1000)))
    handle.setopt(pycurl.NOSIGNAL, 1)  # the default resolver's alarm would hit another thread
    handle.setopt(
        pycurl.PROXY, ""
    )  # a watched service is asked itself, whatever the environment says
    handle.setopt(pycurl.FOLLOWLOCATION, 0)
    handle.setopt(pycurl.PATH_AS_IS, 1)
    handle.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
    handle.setopt(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
    handle.setopt(pycurl.FRESH_CONNECT, 1)
    handle.setopt(pycurl.FORBID_REUSE, 1)
    handle.setopt(pycurl.HEADERFUNCTION, transfer.on_header)
    handle.setopt(pycurl.WRITEFUNCTION, transfer.on_body)
    if request.method == "HEAD":
        handle.setopt(pycurl.NOBODY, 1)
    elif request.body or request.method not in {"GET", "DELETE", "OPTIONS"}:
        handle.setopt(pycurl.POSTFIELDS, request.body)
    handle.setopt(pycurl.CUSTOMREQUEST, request.method)


def _header_lines(given: Any) -> list[str]:
    lines = [f"{name}: {value}" for name, value in given.items()]
    if any("\r" in line or "\n" in line or "\0" in line for line in lines):
        raise ValueError("A header holds a line break.")
    names = {name.lower() for name in given}
    # libcurl adds these by itself; an empty value takes them away again.
    lines += [f"{name}:" for name in ("Expect", "Content-Type") if name.lower() not in names]
    if "user-agent" not in names:
        lines.append("User-Agent: AgentOps")
    return lines
