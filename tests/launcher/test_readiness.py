"""Asking `/healthz` without ever waiting for it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from launcher import readiness
from launcher.readiness import Health
from tests.launcher.checkout import wait_until


class Healthz(BaseHTTPRequestHandler):
    answers: list[int]

    def do_GET(self) -> None:
        self.send_response(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        self.end_headers()
        self.wfile.write(b'{"broker": "no answer"}')


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Healthz) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def test_it_holds_once_the_answer_is_200(server: HTTPServer) -> None:
    Healthz.answers = [503, 503, 200]
    health = Health("127.0.0.1", server.server_port)
    wait_until(health, "healthy")
    assert Healthz.answers == [200]


def test_it_tells_what_the_server_says_is_missing(server: HTTPServer) -> None:
    Healthz.answers = [503]
    health = Health("127.0.0.1", server.server_port)
    wait_until(lambda: health() or "503" in health.problem, "answered")
    assert 'says HTTP/1.0 503 Service Unavailable {"broker": "no answer"}' in health.problem


def test_nobody_there_is_told(port: int) -> None:
    health = Health("127.0.0.1", port)
    assert not health()
    assert "Connection refused" in health.problem


def test_a_silent_server_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "ANSWER_LIMIT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        health = Health("127.0.0.1", silent.getsockname()[1])
        begun = time.monotonic()
        assert not health()
        assert not health()
        assert time.monotonic() - begun < 1
        wait_until(lambda: health() or "no answer in time" in health.problem, "given up")
        silent.accept()[0].close()
        assert not health()
        silent.accept()[0].close()
