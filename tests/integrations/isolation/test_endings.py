"""However a box ends, nothing of it is left: no process, no folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from agentops_site.integrations.isolation import folders
from agentops_site.integrations.isolation.cage import Limits
from agentops_site.integrations.isolation.levels import Level
from agentops_site.integrations.isolation.process import Process, launch
from tests.integrations.isolation.conftest import box_for, wait_for_exit

PROJECT = Path(__file__).parents[3]


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def processes_of(base: Path) -> list[int]:
    """Return the pids that work inside the folder, zombies left out."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(
                base
            ):
                found.append(process.pid)
    return found


def start_lingering(level: Level, base: Path, *, wall_seconds: float = 60.0) -> Process:
    process = launch(box_for(base, "linger", "60", limits=Limits(wall_seconds=wall_seconds)), level)
    assert wait_until(lambda: len(processes_of(base)) >= 3), "the grandchildren must be there first"
    return process


def test_the_end_takes_grandchildren_in_other_sessions_along(level: Level, tmp_path: Path) -> None:
    process = start_lingering(level, tmp_path)
    usage = process.end()
    assert processes_of(tmp_path) == []
    assert usage.cpu_seconds is not None
    assert usage.cpu_seconds > 0
    assert usage.peak_memory_bytes is not None
    assert usage.peak_memory_bytes > 1_000_000
    assert process.end() == usage


def test_the_wall_time_limit_ends_all_of_it(level: Level, tmp_path: Path) -> None:
    process = start_lingering(level, tmp_path, wall_seconds=2.0)
    try:
        ended = wait_for_exit(process)
        assert ended.timed_out
        assert ended.signal == signal.SIGKILL
        left = [pid for pid in processes_of(tmp_path) if pid != process.pid]
        assert len(left) <= 1, "nothing but the warden may be left"
    finally:
        process.end()


@pytest.mark.parametrize("victim", ["worker", "warden"])
def test_a_killed_worker_or_warden_leaves_no_process(
    level: Level, tmp_path: Path, victim: str
) -> None:
    script = textwrap.dedent(
        f"""
        import sys, time
        from pathlib import Path
        from agentops_site.integrations.isolation.levels import Level
        from tests.integrations.isolation.conftest import box_for, launch
        process = launch(box_for(Path({str(tmp_path)!r}), "linger", "60"), Level({level.value!r}))
        print(process.pid, flush=True)
        time.sleep(60)
        """
    )
    worker = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    try:
        outer = int(worker.stdout.readline())
        assert wait_until(lambda: len(processes_of(tmp_path)) >= 3)
        if victim == "warden" and level is not Level.NAMESPACES:
            pytest.skip("known: grandchildren of a killed warden are left to the next sweep")
        os.kill(worker.pid if victim == "worker" else outer, signal.SIGKILL)
        if victim == "warden":
            worker.kill()
        worker.wait()
        assert wait_until(lambda: processes_of(tmp_path) == [])
    finally:
        worker.kill()
        worker.wait()
        worker.stdout.close()


def test_a_lost_warden_is_an_ended_box_and_not_an_error(level: Level, tmp_path: Path) -> None:
    process = start_lingering(level, tmp_path)
    for child in [
        psutil.Process(process.pid),
        *psutil.Process(process.pid).children(recursive=True),
    ]:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    assert wait_until(lambda: process.poll() is not None)
    with pytest.raises(ConnectionError):
        process.connect(0.5)
    assert process.end().cpu_seconds is None


def test_a_stopped_warden_does_not_hold_up_the_end(
    level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentops_site.integrations.isolation.process._GRACE", 0.3)
    process = start_lingering(level, tmp_path)
    for child in [
        psutil.Process(process.pid),
        *psutil.Process(process.pid).children(recursive=True),
    ]:
        child.suspend()
    process.end()
    assert processes_of(tmp_path) == []


def test_a_sweep_removes_what_a_dead_owner_left_and_nothing_else(
    level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second place, for a box whose user could not walk to the first, must be swept as well.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    live = folders.make(tmp_path, level)
    script = (
        "from pathlib import Path; import os, sys;"
        "from agentops_site.integrations.isolation import folders;"
        "from agentops_site.integrations.isolation.levels import Level;"
        f"f = folders.make(Path({str(tmp_path)!r}), Level({level.value!r}));"
        "(f.work / 'left').mkdir(mode=0); print(f.top, flush=True); os._exit(9)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, check=False
    )
    dead = Path(done.stdout.decode().strip())
    assert dead.is_dir()
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], cwd=dead)
    try:
        assert folders.sweep(tmp_path) == 1
        assert orphan.wait(5) == -signal.SIGKILL
    finally:
        orphan.kill()
    assert not dead.exists()
    assert live.work.is_dir()
    live.remove()
    assert list(tmp_path.rglob("box-*")) == []
