"""Many writers at once: no gap, no double, no fork of the chain."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from django.db import close_old_connections, connection

from teams import audit
from teams.models import AuditEntry

ROOT = Path(__file__).resolve().parents[2]
WRITERS, EACH = 4, 15
WRITE = """
import django; django.setup()
from teams import audit
for number in range({count}):
    audit.record(actor="writer", verb="wrote", target=str(number))
"""


@pytest.mark.django_db(transaction=True)
def test_threads_write_one_chain(matrix: None) -> None:
    start = threading.Barrier(WRITERS)
    failures: list[BaseException] = []

    def write() -> None:
        try:
            start.wait(timeout=10)
            for number in range(EACH):
                audit.record(actor="writer", verb="wrote", target=str(number))
        except BaseException as error:  # a thread's failure must reach the test
            failures.append(error)
        finally:
            connection.close()
            close_old_connections()

    threads = [threading.Thread(target=write) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failures == []
    assert audit.verify() == AuditEntry.objects.count() == WRITERS * EACH


def _python(code: str, env: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "sqlite", reason="copies the database file")
@pytest.mark.django_db(transaction=True)
def test_processes_write_one_chain_even_when_one_is_killed(matrix: None, tmp_path: Path) -> None:
    database = tmp_path / "agentops.sqlite3"
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(database)])
    env = os.environ | {
        "AGENTOPS_DATA": str(tmp_path),
        "DATABASE_URL": "",
        "DJANGO_SETTINGS_MODULE": "agentops_site.settings",
    }
    doomed = _python(WRITE.format(count=100_000), env)
    writers = [_python(WRITE.format(count=EACH), env) for _ in range(2)]
    outputs = [writer.communicate(timeout=90)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], outputs
    deadline = time.monotonic() + 30
    while _count(database) <= 2 * EACH and doomed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate(timeout=10)
    assert _count(database) > 2 * EACH, "the doomed writer never wrote"
    check = subprocess.run(
        [sys.executable, "manage.py", "verify_audit"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert check.returncode == 0, check.stderr
    assert f"whole: {_count(database)} entries" in check.stdout


def _count(database: Path) -> int:
    with sqlite3.connect(database) as there:
        return int(there.execute("SELECT count(*) FROM teams_auditentry").fetchone()[0])
