"""The contract of every `Prober`, and what only the one on libcurl can show: real sockets in bad shape."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agentops_site.integrations.http_probe import CurlProber
from monitoring.ports import Call, Prober
from monitoring.values import Answer, HttpRequest
from tests.fakes.prober import ScriptedProber

OK_BODY = b'{"status": "ok"}'


class Shapes(BaseHTTPRequestHandler):
    """A server that answers in every shape a probe may meet; the path names it."""

    protocol_version = "HTTP/1.1"
    release = threading.Event()

    def do_GET(self) -> None:
        shape = self.path.partition("?")[0].strip("/")
        getattr(self, f"shape_{shape}", self.shape_health)()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.headers.get("Content-Type", "none")
        self.reply(201, b"%s %s" % (kind.encode(), body))

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def shape_health(self) -> None:
        self.reply(200, OK_BODY, **{"Content-Type": "application/json"})

    def shape_error(self) -> None:
        self.reply(500, b'{"error": {"type": "NameError"}}')

    def shape_redirect(self) -> None:
        self.reply(302, b"", Location="/health")

    def shape_hang(self) -> None:
        self.release.wait(20)
        self.reply(200, b"late")

    def shape_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.close_connection = True
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            return

    def shape_headers(self) -> None:
        self.send_response(200)
        for number in range(2000):
            self.send_header(f"X-Long-{number}", "y" * 90)
        self.end_headers()
        self.close_connection = True

    def shape_reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True

    def shape_short(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def shape_path(self) -> None:
        self.reply(200, self.path.encode())

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            return  # this handler closed its own socket


class Server(ThreadingHTTPServer):
    # The default of 5 makes the kernel drop connections, and the client repeat after a second.
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Say nothing of the clients that went away: several tests do that on purpose."""


@pytest.fixture(scope="module")
def shapes() -> Iterator[str]:
    Shapes.release.clear()
    server = Server(("127.0.0.1", 0), Shapes)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    Shapes.release.set()
    server.shutdown()
    server.server_close()


def call(base: str, path: str, **changes: object) -> Call:
    made: dict[str, object] = {"key": path, "timeout": 2.0, "request": HttpRequest(path=path)}
    return Call(base_url=base, **(made | changes))  # type: ignore[arg-type]


def ask(prober: Prober, *calls: Call) -> dict[object, Answer]:
    answers: dict[object, Answer] = {}
    prober.ask(calls, lambda one, answer: answers.update({one.key: answer}))
    return answers


def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class ProberContract:
    """What every prober keeps, the fake included."""

    def prober(self) -> Prober:
        raise NotImplementedError

    def test_each_call_is_answered_once_with_its_own_key(self, shapes: str) -> None:
        seen: list[object] = []
        calls = [call(shapes, "/health", key=number) for number in range(40)]
        self.prober().ask(calls, lambda one, _answer: seen.append(one.key))
        assert sorted(seen) == list(range(40))  # type: ignore[type-var]

    def test_a_healthy_answer_comes_whole(self, shapes: str) -> None:
        answer = ask(self.prober(), call(shapes, "/health"))["/health"]
        assert (answer.status, answer.body, answer.failure) == (200, OK_BODY, "")
        assert answer.headers["content-type"] == "application/json"
        assert answer.elapsed_ms > 0

    def test_no_calls_return_at_once(self) -> None:
        assert ask(self.prober()) == {}

    def test_later_calls_come_after_earlier_ones(self, shapes: str) -> None:
        order: list[object] = []
        calls = [call(shapes, "/health", key=start, start_in=start) for start in (0.3, 0.0, 0.15)]
        self.prober().ask(calls, lambda one, _answer: order.append(one.key))
        assert order == [0.0, 0.15, 0.3]


class TestScriptedProber(ProberContract):
    def prober(self) -> Prober:
        return ScriptedProber()

    def test_a_script_is_replayed_and_its_last_answer_stays(self) -> None:
        prober = ScriptedProber()
        prober.script("/health", Answer(status=500), Answer(failure="timeout"))
        seen = [ask(prober, call("http://a", "/health"))["/health"] for _ in range(3)]
        assert [one.status or one.failure for one in seen] == [500, "timeout", "timeout"]


class TestCurlProber(ProberContract):
    def prober(self) -> Prober:
        return CurlProber()

    @pytest.mark.parametrize(
        ("path", "status", "failure"),
        [
            ("/error", 500, ""),
            ("/redirect", 302, ""),
            ("/reset", None, "reset"),
            ("/short", None, "reset"),
            ("/headers", None, "too_large"),
            ("/hang", None, "timeout"),
        ],
    )
    def test_a_bad_shape_is_an_answer(
        self, shapes: str, path: str, status: int | None, failure: str
    ) -> None:
        answer = ask(self.prober(), call(shapes, path, timeout=0.4))[path]
        assert (answer.status, answer.failure) == (status, failure)

    def test_an_endless_body_is_cut_and_marked(self, shapes: str) -> None:
        answer = ask(self.prober(), call(shapes, "/endless", max_bytes=10_000))["/endless"]
        assert (len(answer.body), answer.truncated, answer.status) == (10_000, True, 200)

    def test_a_closed_port_is_refused(self) -> None:
        closed = f"http://127.0.0.1:{unused_port()}"
        assert ask(self.prober(), call(closed, "/health"))["/health"].failure == "refused"

    def test_a_name_that_does_not_exist_is_unreachable(self) -> None:
        answer = ask(self.prober(), call("http://no-such-host.invalid:80", "/", timeout=10))["/"]
        assert answer.failure in {"unreachable", "timeout"}

    def test_another_protocol_is_malformed(self) -> None:
        with raw_server(b"220 smtp.example ESMTP\r\n") as base:
            assert ask(self.prober(), call(base, "/"))["/"].failure == "malformed"

    def test_a_request_that_http_cannot_carry_is_malformed(self, shapes: str) -> None:
        bad = HttpRequest(path="/health", headers={"X-Evil": "a\r\nHost: b"})
        assert ask(self.prober(), call(shapes, "/x", request=bad))["/x"].failure == "malformed"

    def test_hung_transfers_hold_up_nobody(self, shapes: str) -> None:
        began = time.monotonic()
        times: dict[object, float] = {}
        calls = [call(shapes, "/hang", key=("hang", n), timeout=1.0) for n in range(20)]
        calls += [call(shapes, "/health", key=n, start_in=0.01 * n) for n in range(20)]
        self.prober().ask(
            calls, lambda one, _answer: times.update({one.key: time.monotonic() - began})
        )
        assert len(times) == 40
        last_healthy = max(when for key, when in times.items() if isinstance(key, int))
        first_hung = min(when for key, when in times.items() if isinstance(key, tuple))
        assert last_healthy < first_hung

    def test_a_low_limit_of_open_transfers_delays_but_never_refuses(self, shapes: str) -> None:
        answers = ask(CurlProber(max_open=2), *(call(shapes, "/health", key=n) for n in range(30)))
        assert {answer.status for answer in answers.values()} == {200}

    def test_a_body_is_sent_as_it_is(self, shapes: str) -> None:
        post = HttpRequest(
            method="POST", path="/", headers={"Content-Type": "text/x"}, body=b"\x00\xff"
        )
        bare = HttpRequest(method="POST", path="/")
        answers = ask(
            self.prober(),
            call(shapes, "/", key="post", request=post),
            call(shapes, "/", key="bare", request=bare),
        )
        assert answers["post"].body == b"text/x \x00\xff"
        assert answers["bare"].body == b"none "

    def test_a_path_is_neither_normalised_nor_doubly_quoted(self, shapes: str) -> None:
        path = "/path?a=/../b c&q=%C3%A9&x=é"
        answer = ask(self.prober(), call(shapes, path))[path]
        assert answer.body == b"/path?a=/../b%20c&q=%C3%A9&x=%C3%A9"

    def test_the_environment_s_proxy_is_not_used(
        self, shapes: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{unused_port()}")
        assert ask(self.prober(), call(shapes, "/health"))["/health"].status == 200


class raw_server:
    """Answers every connection with the same bytes."""

    def __init__(self, data: bytes) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                self.request.sendall(data)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._run: Callable[[], None] = lambda: self._server.serve_forever(0.02)

    def __enter__(self) -> str:
        threading.Thread(target=self._run, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
