"""Trials on this machine: the port's contract at each level, and what only a local copy can get wrong."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from agentops_site.integrations.isolation import folders
from agentops_site.integrations.isolation.levels import Level
from agentops_site.integrations.isolation.probe import offers
from agentops_site.integrations.local_sandbox import LocalSandbox
from incidents.ports import Box, Sandbox, SandboxError
from monitoring.values import Answer, HttpRequest, Tree
from tests.fakes.sandbox import FakeSandbox
from tests.integrations.contract_sandbox import SandboxContract, plan_for

# Answers GET /?path=... with the file's text; POST writes the body to the file.
FILES = b"""
import http.server, json, os, sys
from urllib.parse import urlsplit, parse_qs
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        query = parse_qs(urlsplit(self.path).query)
        if "path" in query:
            with open(query["path"][0], "rb") as file:
                return self.answer(file.read())
        self.answer(json.dumps({"environ": dict(os.environ), "argv": sys.argv, "python": sys.executable}).encode())
    def do_POST(self):
        with open(parse_qs(urlsplit(self.path).query)["path"][0], "wb") as file:
            file.write(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer(b"ok")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return the folder for boxes."""
    return tmp_path / "trials"


@pytest.mark.parametrize("level", list(Level), ids=str, scope="class")
class TestLocalContract(SandboxContract):
    """The contract on this machine, at each level that it offers."""

    @pytest.fixture(autouse=True)
    def _at(self, level: Level, base: Path) -> Iterator[None]:
        if not offers(level):
            pytest.skip(f"this machine does not offer {level}")
        self.level, self.base = level, base
        yield
        assert list(base.glob("box-*")) == [], "a closed box leaves no folder"

    def make_sandbox(self) -> Sandbox:
        return LocalSandbox(base=self.base, level=self.level)

    def test_a_body_without_end_is_cut_at_the_deadline(self) -> None:
        with self.started() as box:
            answer = box.ask(HttpRequest(path="/drip"), 0.6)
            assert answer.failure == "timeout"
            assert answer.elapsed_ms < 3000

    def test_a_large_body_is_cut_and_marked(self) -> None:
        with self.started() as box:
            answer = box.ask(HttpRequest(path="/large"), 5)
            assert answer.truncated
            assert len(answer.body) == 1_000_000

    def test_an_answer_that_never_comes_is_a_reset(self) -> None:
        with self.started() as box:
            assert box.ask(HttpRequest(path="/boom"), 5).failure == "reset"

    def test_a_request_that_is_no_http_is_not_sent(self) -> None:
        with self.started() as box:
            answer = box.ask(HttpRequest(path="/", headers={"X": "a\r\nEvil: b"}), 5)
            assert answer.failure == "malformed"

    def test_a_check_command_runs_behind_the_same_walls(self, tmp_path: Path) -> None:
        code = (
            "import sys, urllib.request, os; open('note', 'w').write('x');"
            "print(urllib.request.urlopen(f'http://127.0.0.1:{sys.argv[1]}/x').read());"
            "print(sorted(os.environ)); sys.exit(3)"
        )
        with self.started() as box:
            ran = box.check(("python3", "-c", code, "{port}"), 5)
            assert (ran.ran, ran.exit_code) == (True, 3), ran
            assert "b'here'" in ran.output
            assert "DJANGO_SETTINGS_MODULE" not in ran.output
            assert box.ask(HttpRequest(path="/x"), 5).status == 200
            if self.level is not Level.RLIMITS:
                outside = tmp_path / "outside"
                ran = box.check(("python3", "-c", f"open({str(outside)!r}, 'w')"), 5)
                assert ran.exit_code == 1
                assert not outside.exists()

    def test_a_check_command_without_end_is_ended_and_its_output_bounded(self) -> None:
        code = "import os; os.fork()\nwhile True: print('x' * 1000, flush=True)"
        with self.started() as box:
            ran = box.check(("python3", "-c", code), 0.5)
            assert (ran.ran, ran.exit_code) == (True, None)
            assert 0 < len(ran.output) <= 2000
            assert ran.seconds < 4
            assert box.check(("python3", "-c", "print(1)"), 5).exit_code == 0
            assert box.check(("no-such-program",), 5).exit_code == 127

    def test_before_the_start_no_check_is_run(self) -> None:
        with self.opened() as box:
            assert box.check(("python3", "-c", ""), 5).ran is False


def _respond(tree: Tree, request: HttpRequest) -> Answer:
    if request.path == "/fail":
        return Answer(status=500, elapsed_ms=1.0)
    if request.path == "/sleep":
        return Answer(status=200, elapsed_ms=20_000.0)
    headers = {"x-service": "contract"}
    body, status = (request.body, 201) if request.method == "POST" else (b"here", 200)
    return Answer(status=status, headers=headers, body=body, elapsed_ms=1.0)


class TestFakeContract:
    """The fake keeps those parts of the contract that need no process."""

    def make_sandbox(self) -> Sandbox:
        return FakeSandbox(respond=_respond)

    opened = SandboxContract.opened
    started = SandboxContract.started
    test_a_started_copy_answers = SandboxContract.test_a_started_copy_answers
    test_a_body_goes_there_and_back = SandboxContract.test_a_body_goes_there_and_back
    test_an_error_of_the_copy_is_an_answer = SandboxContract.test_an_error_of_the_copy_is_an_answer
    test_a_hang_is_a_timeout = SandboxContract.test_a_hang_is_a_timeout
    test_before_and_after = (
        SandboxContract.test_asking_before_the_start_or_after_the_end_is_a_failure_and_no_error
    )
    test_usage = SandboxContract.test_what_was_used_is_told_once_closed
    test_side_by_side = SandboxContract.test_two_copies_run_side_by_side


class Copies:
    """A live service's folder and a sandbox for copies of it."""

    def __init__(self, live: Path, base: Path) -> None:
        self.live, self.base = live, base

    def open(self, **changes: Any) -> Box:
        values = {
            "tree": {"server.py": FILES},
            "data_from": str(self.live),
            "data_globs": ("data/**",),
        } | changes
        return LocalSandbox(base=self.base).open(plan_for(**values))


@pytest.fixture
def copies(tmp_path: Path, base: Path) -> Copies:
    """Return the copies of a live service that has a data folder."""
    live = tmp_path / "live"
    (live / "data").mkdir(parents=True)
    return Copies(live, base)


def _get(box: Box, path: str = "") -> bytes:
    answer = box.ask(HttpRequest(path=f"/?path={path}" if path else "/"), 5)
    assert answer.status == 200, answer
    return answer.body


def test_the_best_level_is_named(copies: Copies) -> None:
    box = copies.open()
    try:
        box.start()
        assert box.isolation.startswith(("namespaces", "Landlock", "rlimits only"))
    finally:
        box.close()


def test_a_copy_writes_its_own_data_and_the_live_ones_stay(copies: Copies) -> None:
    (copies.live / "data" / "orders.json").write_text("[1]")
    box = copies.open()
    box.start()
    assert _get(box, "data/orders.json") == b"[1]"
    box.ask(HttpRequest(method="POST", path="/?path=data/orders.json", body=b"[]"), 5)
    assert _get(box, "data/orders.json") == b"[]"
    assert box.close().written_outside_data == ()
    assert (copies.live / "data" / "orders.json").read_text() == "[1]"


def test_files_written_elsewhere_are_named(copies: Copies) -> None:
    box = copies.open()
    box.start()
    for path in ("server.py", "surprise.txt", "data/fine.txt"):
        box.ask(HttpRequest(method="POST", path=f"/?path={path}", body=b"changed"), 5)
    assert box.close().written_outside_data == ("server.py", "surprise.txt")


def _shop_database(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE pairs (a INTEGER, b INTEGER)")
    return database


def test_a_sqlite_database_is_copied_with_what_is_only_in_its_wal(copies: Copies) -> None:
    path = copies.live / "data" / "shop.sqlite3"
    with closing(_shop_database(path)) as database:
        database.execute("PRAGMA wal_autocheckpoint=0")
        database.execute("INSERT INTO pairs VALUES (1, 1)")
        box = copies.open()
        try:
            box.start()
            content = _get(box, "data/shop.sqlite3")
        finally:
            box.close()
    copy = copies.base.parent / "copy.sqlite3"
    copy.write_bytes(content)
    with closing(sqlite3.connect(copy)) as read:
        assert read.execute("SELECT * FROM pairs").fetchall() == [(1, 1)]


@contextmanager
def _busy_writer(database: sqlite3.Connection) -> Iterator[None]:
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO pairs VALUES (?, 0)", (number,))
            database.execute("UPDATE pairs SET b = a WHERE a = ?", (number,))
            database.execute("COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        done.set()
        writer.join()


def test_a_copy_under_writes_is_one_moment(copies: Copies, tmp_path: Path) -> None:
    with (
        closing(_shop_database(copies.live / "data" / "shop.sqlite3")) as database,
        _busy_writer(database),
    ):
        for round_number in range(5):
            box = copies.open()
            box.start()
            copy = tmp_path / f"{round_number}.sqlite3"
            copy.write_bytes(_get(box, "data/shop.sqlite3"))
            box.close()
            with closing(sqlite3.connect(copy)) as read:
                assert read.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert read.execute("SELECT count(*) FROM pairs WHERE a != b").fetchone() == (0,)


def test_looking_at_an_idle_database_leaves_no_file_beside_it(copies: Copies) -> None:
    path = copies.live / "data" / "shop.sqlite3"
    _shop_database(path).close()
    before = sorted(copies.live.rglob("*"))
    copies.open().close()
    assert sorted(copies.live.rglob("*")) == before


def test_the_digest_names_the_data(copies: Copies) -> None:
    file = copies.live / "data" / "orders.json"
    file.write_text("[1]")
    with closing(_shop_database(copies.live / "data" / "shop.sqlite3")) as database:
        database.execute("INSERT INTO pairs VALUES (1, 1)")
        first, second = copies.open().close(), copies.open().close()
        file.write_text("[2]")
        third = copies.open().close()
    assert first.data_digest == second.data_digest != third.data_digest


def test_links_are_not_followed(copies: Copies, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("sk-live-1")
    (copies.live / "data" / "link").symlink_to(tmp_path / "secret")
    (copies.live / "data" / "folder").symlink_to(tmp_path)
    box = copies.open()
    box.start()
    for path in ("data/link", "data/folder/secret"):
        assert box.ask(HttpRequest(path=f"/?path={path}"), 5).status is None
    box.close()


def test_data_too_large_is_refused_with_the_reason(copies: Copies, settings: Settings) -> None:
    settings.TRIAL_MAX_DATA_BYTES = 1_000_000
    with (copies.live / "data" / "big").open("wb") as file:
        file.truncate(1_000_000_000)
    with pytest.raises(SandboxError, match="data too large for a trial") as caught:
        copies.open()
    assert caught.value.permanent
    assert list(copies.base.glob("box-*")) == []


def test_no_data_folder_is_no_trouble(copies: Copies) -> None:
    (copies.live / "data").rmdir()
    box = copies.open()
    assert box.start().answered
    assert box.close().data_digest == ""


def test_a_variable_that_names_the_live_folder_names_the_copy(copies: Copies) -> None:
    box = copies.open(
        environment={
            "DATA_DIR": f"{copies.live}/data",
            "DATABASE_URL": f"sqlite:///{copies.live}/data/shop.sqlite3",
            "RELATIVE": "data",
            "OTHER": f"{copies.live}-old/data",
        }
    )
    box.start()
    told = json.loads(_get(box))
    box.close()
    assert str(copies.live / "data") not in json.dumps(told)
    assert told["environ"]["DATA_DIR"].endswith(os.sep + str(Path("work", "data")))
    assert told["environ"]["DATABASE_URL"].endswith(
        os.sep + str(Path("work", "data", "shop.sqlite3"))
    )
    assert told["environ"]["RELATIVE"] == "data"
    assert told["environ"]["OTHER"] == f"{copies.live}-old/data"
    assert told["python"] == sys.executable


@pytest.mark.parametrize("where", ["{alias}/data", "file:{alias}/data/x", "{alias}/../live/data"])
def test_a_variable_that_still_leads_there_is_refused(
    copies: Copies, tmp_path: Path, where: str
) -> None:
    alias = tmp_path / "alias"
    alias.symlink_to(copies.live)
    with pytest.raises(SandboxError, match="DATA_DIR points into the live service") as caught:
        copies.open(environment={"DATA_DIR": where.format(alias=alias)})
    assert caught.value.permanent
    assert list(copies.base.glob("box-*")) == []


def test_a_program_that_is_not_there_is_a_failed_start(copies: Copies) -> None:
    box = copies.open(command=("no-such-program", "{port}"))
    result = box.start()
    box.close()
    assert not result.answered
    assert "no-such-program" in result.log_tail


def test_a_taken_lock_can_be_read_from_the_start(copies: Copies) -> None:
    tree = {"server.py": b"raise SystemExit('database is locked by another process')"}
    box = copies.open(tree=tree)
    result = box.start()
    box.close()
    assert (result.exit_code, result.answered) == (1, False)
    assert "locked by another process" in result.log_tail


def test_a_box_of_a_dead_worker_is_swept(copies: Copies) -> None:
    child = os.fork()
    if child == 0:
        copies.open()
        os._exit(0)
    os.waitpid(child, 0)
    assert _left_by(child, copies.base)
    copies.open().close()
    assert _left_by(child, copies.base) == []


def _left_by(pid: int, base: Path) -> list[Path]:
    """Return what a process left of its boxes, also where they go when `base` lies in a folder that only root enters."""
    places = (base, folders._second_place())
    return [path for place in places for path in place.glob(f"box-{pid}-*")]
