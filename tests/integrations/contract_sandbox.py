"""What every Sandbox must do, whichever machine it runs on. Mix into a test class that provides `make_sandbox()`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from incidents.ports import Box, Sandbox, SandboxError
from incidents.values import BoxPlan, StartUp
from monitoring.values import HttpRequest

# GET answers "here", POST echoes, /sleep hangs, /drip sends for ever, /boom closes without an answer.
SERVER = b"""
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("X-Service", "contract")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        if self.path == "/sleep":
            time.sleep(20)
        if self.path == "/boom":
            return
        if self.path == "/fail":
            return self.answer(500, b"broken")
        if self.path == "/large":
            return self.answer(200, b"x" * 3_000_000)
        if self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"x")
                time.sleep(0.05)
        self.answer(200, b"here")
    def do_POST(self):
        self.answer(201, self.rfile.read(int(self.headers["Content-Length"])))
print("ready to serve", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def plan_for(**changes: Any) -> BoxPlan:
    """Return a plan for the small server above, with changes."""
    values: dict[str, Any] = {
        "name": "contract",
        "tree": {"server.py": SERVER},
        "data_from": "",
        "data_globs": (),
        "command": ("python3", "server.py", "{port}"),
        "environment": {},
        "health_path": "/health",
        "start_timeout": 10.0,
        "wall_seconds": 30.0,
    }
    return BoxPlan(**(values | changes))


class SandboxContract:
    """The contract: each test opens its own box and closes it."""

    @abstractmethod
    def make_sandbox(self) -> Sandbox:
        """Return a new sandbox of the kind under test."""

    @contextmanager
    def opened(self, **changes: Any) -> Iterator[Box]:
        box = self.make_sandbox().open(plan_for(**changes))
        try:
            yield box
        finally:
            box.close()

    @contextmanager
    def started(self, **changes: Any) -> Iterator[Box]:
        with self.opened(**changes) as box:
            result = box.start()
            assert result.answered, result.log_tail
            yield box

    def start(self, **changes: Any) -> StartUp:
        with self.opened(**changes) as box:
            return box.start()

    def test_a_started_copy_answers(self) -> None:
        with self.started() as box:
            assert box.isolation
            answer = box.ask(HttpRequest(path="/x?y=1"), 5)
            assert (answer.status, answer.body, answer.failure) == (200, b"here", "")
            assert answer.headers["x-service"] == "contract"
            assert answer.elapsed_ms > 0

    def test_a_body_goes_there_and_back(self) -> None:
        with self.started() as box:
            body = bytes(range(256))
            answer = box.ask(HttpRequest(method="POST", path="/", body=body), 5)
            assert (answer.status, answer.body) == (201, body)

    def test_an_error_of_the_copy_is_an_answer(self) -> None:
        with self.started() as box:
            assert box.ask(HttpRequest(path="/fail"), 5).status == 500

    def test_a_hang_is_a_timeout(self) -> None:
        with self.started() as box:
            answer = box.ask(HttpRequest(path="/sleep"), 0.5)
            assert (answer.status, answer.failure) == (None, "timeout")
            assert answer.elapsed_ms < 3000

    def test_a_start_that_ends_tells_code_and_last_words(self) -> None:
        broken = {"server.py": b"import sys\nprint('no such table: orders')\nsys.exit(3)\n"}
        result = self.start(tree=broken)
        assert not result.answered
        assert result.exit_code == 3
        assert "no such table: orders" in result.log_tail

    def test_a_syntax_error_is_in_the_last_words(self) -> None:
        result = self.start(tree={"server.py": b"def broken(:\n"})
        assert not result.answered
        assert "SyntaxError" in result.log_tail

    def test_a_start_without_a_port_ends_at_its_limit(self) -> None:
        result = self.start(tree={"server.py": b"import time\ntime.sleep(60)\n"}, start_timeout=1.0)
        assert not result.answered
        assert result.exit_code is None
        assert 0.9 <= result.seconds < 6

    def test_a_copy_that_holds_its_first_health_request_is_known_to_hang(self) -> None:
        result = self.start(health_path="/sleep", patience=0.5)
        assert (result.answered, result.hung, result.exit_code) == (False, True, None)
        assert result.seconds < 8

    def test_patience_does_not_hurry_a_copy_that_ends(self) -> None:
        result = self.start(tree={"server.py": b"import sys\nsys.exit(3)\n"}, patience=0.5)
        assert (result.answered, result.hung, result.exit_code) == (False, False, 3)

    def test_asking_before_the_start_or_after_the_end_is_a_failure_and_no_error(self) -> None:
        box = self.make_sandbox().open(plan_for())
        assert box.ask(HttpRequest(), 1).failure
        box.start()
        box.close()
        assert box.ask(HttpRequest(), 1).failure

    def test_what_was_used_is_told_once_closed(self) -> None:
        box = self.make_sandbox().open(plan_for())
        box.start()
        usage = box.close()
        assert usage.cpu_seconds is None or usage.cpu_seconds > 0
        assert usage.peak_memory_bytes is None or usage.peak_memory_bytes > 500_000

    def test_two_copies_run_side_by_side(self) -> None:
        with self.started() as one, self.started() as two:
            assert one.ask(HttpRequest(), 5).status == 200
            assert two.ask(HttpRequest(), 5).status == 200

    @pytest.mark.parametrize("path", ["../outside.py", "/etc/outside.py", "a//b.py", "a\\b.py"])
    def test_a_tree_cannot_lead_out_of_its_folder(self, path: str) -> None:
        with pytest.raises(SandboxError) as caught:
            self.make_sandbox().open(plan_for(tree={path: b"x"}))
        assert caught.value.permanent
