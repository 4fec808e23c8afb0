"""Loaded before Django's settings are read: gives every test run a data folder and a real Valkey of its own.

Without it a plain `pytest` would write into `var/`, and each message sent would wait for a broker that is not there.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from launcher import valkey
from launcher.layout import ROOT, Layout

START_LIMIT = 15.0


def _begin() -> None:
    data = Path(tempfile.mkdtemp(prefix="agentops-pytest-"))
    os.environ["AGENTOPS_DATA"] = str(data)
    os.environ["AGENTOPS_DEMO"] = "0"
    os.environ["RECORDER_BUFFER_SECONDS"] = "0"  # a test sees at once what it made
    os.environ["SHOP_SERVICE_SECONDS"] = "0"
    for name in (
        "DATABASE_URL",
        "ANTHROPIC_API_KEY",
        "BL_API_KEY",
        "WHITECIRCLE_API_KEY",
        "ELEVENLABS_API_KEY",
    ):
        os.environ.pop(name, None)  # a test must never reach a real vendor or somebody's database
    layout = Layout(ROOT, data)
    layout.make_folders()
    broker = valkey.prepare(layout)
    with (layout.logs / "valkey.log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603
            [valkey.server(layout), str(valkey.configuration(layout))], stdout=log, stderr=log
        )
    atexit.register(_end, server, data, os.getpid())
    os.environ["REDIS_URL"] = broker.url
    limit = time.monotonic() + START_LIMIT
    while not broker.answers():
        if time.monotonic() > limit or server.poll() is not None:
            raise RuntimeError("the Valkey server of the tests did not start")
        time.sleep(0.02)


def _end(server: subprocess.Popen[bytes], data: Path, owner: int) -> None:
    if os.getpid() != owner:
        return  # a forked child of a test must not end what its parent uses
    server.kill()
    server.wait()
    shutil.rmtree(data, ignore_errors=True)


_begin()
