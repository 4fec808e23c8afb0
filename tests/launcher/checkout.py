"""A throwaway checkout: the real `agentops` and `launcher`, a virtual environment, stand-ins for the rest."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

from launcher import bootstrap
from launcher.layout import Layout

REPOSITORY = Path(__file__).resolve().parents[2]

MANAGE = """\
import json, sys
from stub_part import DATA, live, step
if sys.argv[1] == "watch_processes":
    live("watcher")
else:
    if sys.argv[1] == "seed_demo":
        people = [{"email": "shweta@example.com", "role": "team_lead"}]
        (DATA / "demo.json").write_text(json.dumps({"password": "swordfish", "people": people}))
    if sys.argv[1] == "echo":
        print(*sys.argv[2:])
        sys.exit(7)
    step(sys.argv[1])
"""

CELERY = """\
import sys
from stub_part import live
live("beat" if "beat" in sys.argv else sys.argv[sys.argv.index("-n") + 1].removesuffix("@%h"))
"""

WEB = """\
import sys
from stub_part import serve
serve(sys.argv[sys.argv.index("--host") + 1], int(sys.argv[sys.argv.index("--port") + 1]))
"""


def make_checkout(folder: Path) -> Path:
    """Fill a folder; its virtual environment counts as installed and sees the packages of ours."""
    shutil.copytree(
        REPOSITORY / "launcher", folder / "launcher", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(REPOSITORY / "agentops", folder)
    shutil.copy(Path(__file__).with_name("stub_part.py"), folder)
    (folder / "manage.py").write_text(MANAGE)
    for name, module, source in (("celery", "__main__", CELERY), ("agentops_site", "serve", WEB)):
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()  # else the real package would win
        (folder / name / f"{module}.py").write_text(source)
    (folder / "requirements.txt").write_text("django==5.2.19\n")
    make_venv(Layout(folder, folder / "var"))
    return folder


def make_venv(layout: Layout) -> None:
    """Create a virtual environment without reaching any network, and stamp it as current."""
    command = [sys.executable, "-m", "venv", "--without-pip", str(layout.venv)]
    subprocess.run(command, check=True)  # noqa: S603 - our own Python
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = layout.venv / "lib" / version / "site-packages"
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n")
    stamp = bootstrap.stamp(layout, "requirements.txt")
    bootstrap.stamp_path(layout, "requirements.txt").write_text(stamp)


class Launched:
    """A running `./agentops up`."""

    def __init__(self, checkout: Path, port: int, *options: str, **env: str) -> None:
        self.data = checkout / "var"
        self.output = checkout / "output"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(  # noqa: S603 - the script under test
                [sys.executable, "agentops", "up", "--port", str(port), *options],
                cwd=checkout,
                env={"PATH": os.environ["PATH"], "HOME": str(checkout), **env},
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_hear_hangups,
            )

    def said(self) -> str:
        return self.output.read_text()

    def trace(self) -> list[str]:
        try:
            return (self.data / "trace").read_text().splitlines()
        except FileNotFoundError:
            return []

    def pids(self, name: str = "") -> list[int]:
        rows = [line.split() for line in self.trace() if line.startswith("start ")]
        return [int(pid) for _, part, pid in rows if name in ("", part)]

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.said(), f"{text!r} said", self.said)

    def ready(self) -> Launched:
        self.wait_for("AgentOps is running.")
        wait_until(lambda: len(self.pids()) >= 6, "all parts started", self.said)
        return self

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within: float = 10) -> int:
        """Send a signal and return the exit status; taking longer than `within` seconds is a failure."""
        self.process.send_signal(number)
        return self.process.wait(timeout=within)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)

    def is_gone(self) -> bool:
        return not any(map(alive, self.pids()))


def alive(pid: int) -> bool:
    """Say whether a process runs; one that only waits to be reaped does not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return fields[0] not in "ZX"


def wait_until(
    holds: Callable[[], bool], what: str, explain: Callable[[], str] = str, limit: float = 20
) -> None:
    """Wait for a condition; fail with what there is to say when it does not hold in time."""
    deadline = time.monotonic() + limit
    while not holds():
        assert time.monotonic() < deadline, f"not in {limit:g} s: {what}\n{explain()}"
        time.sleep(0.02)


def _hear_hangups() -> None:
    """Undo a `nohup` around the test run: a child that inherits it would rightly ignore the signal."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
