"""A box to attack from, at each level that this machine offers, and the things outside that are attacked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agentops_site.integrations.isolation.cage import Launch, Limits
from agentops_site.integrations.isolation.levels import Level
from agentops_site.integrations.isolation.probe import offers
from agentops_site.integrations.isolation.process import Exit, Process, launch

Place = TypeVar("Place", int, str)
ATTACKS = Path(__file__).with_name("attacks.py")


@pytest.fixture(params=list(Level), ids=str)
def level(request: pytest.FixtureRequest) -> Level:
    """Return each level in turn; one that the machine lacks is skipped, which the run's summary shows."""
    wanted: Level = request.param
    if not offers(wanted):
        pytest.skip(f"this machine does not offer {wanted}")
    return wanted


@dataclass(frozen=True, kw_only=True)
class Result:
    """What an attempt printed and how it ended."""

    output: str
    exit: Exit

    @property
    def succeeded(self) -> bool:
        return self.exit.code == 0


def box_for(base: Path, *arguments: str, limits: Limits | None = None) -> Launch:
    """Return a launch of `attacks.py` with these arguments in folders below `base`."""
    for name in ("work", "scratch"):
        (base / name).mkdir(exist_ok=True)
    shutil.copy(ATTACKS, base / "work" / "attacks.py")
    return Launch(
        command=(sys.executable, "attacks.py", *arguments),
        workdir=base / "work",
        scratch=base / "scratch",
        log=base / "log",
        port=free_port(),
        environment={},
        limits=limits or Limits(wall_seconds=15),
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_exit(process: Process, seconds: float = 20.0) -> Exit:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if ended := process.poll():
            return ended
        time.sleep(0.01)
    raise AssertionError(f"still running after {seconds} s")


def attempt_at(
    level: Level, base: Path, name: str, argument: object = "-", **changes: Any
) -> Result:
    """Make one attempt in a new box below `base` and wait for its end."""
    what = replace(box_for(base, name, str(argument)), **changes)
    process = launch(what, level)
    try:
        ended = wait_for_exit(process)
    finally:
        process.end()
    return Result(output=what.log.read_text(), exit=ended)


Attempt = Callable[..., Result]


@pytest.fixture
def attempt(level: Level, tmp_path: Path) -> Attempt:
    """Return a function that makes one attempt in a new box at the level and waits for its end."""

    return partial(attempt_at, level, tmp_path)


@pytest.fixture
def sibling() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process of ours that holds a key in its environment."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        env=os.environ | {"SIBLING_KEY": "sk-secret"},
    )
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def tcp_port() -> Iterator[int]:
    """Return the port of a host server that greets with a secret, as a Redis of ours would answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield from _greeting(server, server.getsockname()[1])


@pytest.fixture
def unix_path(tmp_path: Path) -> Iterator[str]:
    """Return the path of a host unix socket that greets with a secret."""
    with socket.socket(socket.AF_UNIX) as server:
        path = str(tmp_path / "host.sock")
        server.bind(path)
        server.listen()
        yield from _greeting(server, path)


@pytest.fixture
def abstract_name() -> Iterator[str]:
    """Return the name of an abstract unix socket of the host that greets with a secret."""
    with socket.socket(socket.AF_UNIX) as server:
        name = f"agentops-test-{os.urandom(6).hex()}"
        server.bind("\0" + name)
        server.listen()
        yield from _greeting(server, name)


@pytest.fixture
def udp_port() -> Iterator[int]:
    """Return the port of a host socket that answers each datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def echo() -> None:
            with suppress(OSError):
                _, sender = server.recvfrom(100)
                server.sendto(b"secret", sender)

        threading.Thread(target=echo, daemon=True).start()
        yield server.getsockname()[1]


def _greeting(server: socket.socket, where: Place) -> Iterator[Place]:
    def greet() -> None:
        with suppress(OSError):
            connection, _ = server.accept()
            connection.sendall(b"secret")
            connection.close()

    threading.Thread(target=greet, daemon=True).start()
    yield where
