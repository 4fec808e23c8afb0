"""Finding the best isolation level of this machine by really trying each."""

from __future__ import annotations

import sys
import tempfile
import time
from functools import lru_cache
from pathlib import Path

from agentops_site.integrations.isolation import bubblewrap, cage, landlock
from agentops_site.integrations.isolation.cage import Launch, Limits
from agentops_site.integrations.isolation.levels import Level
from agentops_site.integrations.isolation.process import Exit, LaunchError, Process, launch

_LIMIT = 5.0
_KEPT_OUT, _GOT_IN = 0, 3
# Succeeds only where the work directory can be written and the secret beside it cannot be read.
_BREAK_OUT = f"""
open("mine", "w").close()
try:
    open("../secret").read()
except OSError:
    raise SystemExit({_KEPT_OUT})
raise SystemExit({_GOT_IN})
"""


@lru_cache(maxsize=1)
def best_level() -> Level:
    """Return the best level at which a started command was kept from a file outside; found once per process."""
    for level in (Level.NAMESPACES, Level.LANDLOCK):
        if offers(level):
            return level
    return Level.RLIMITS


def offers(level: Level) -> bool:
    """Return whether this machine can run a command at the given level, by running one (some 60 ms)."""
    if level is Level.RLIMITS:
        return True
    if not cage.LINUX or (level is Level.NAMESPACES and bubblewrap.program() is None):
        return False
    if level is Level.LANDLOCK and landlock.abi() == 0:
        return False
    with tempfile.TemporaryDirectory(prefix="agentops-level-") as name:
        return _keeps_out(Path(name), level)


def _keeps_out(base: Path, level: Level) -> bool:
    (base / "secret").write_text("secret")
    for folder in ("work", "scratch"):
        (base / folder).mkdir()
    attempt = Launch(
        command=(sys.executable, "-I", "-S", "-c", _BREAK_OUT),
        workdir=base / "work",
        scratch=base / "scratch",
        log=base / "log",
        port=9,
        environment={},
        limits=Limits(wall_seconds=_LIMIT),
    )
    try:
        process = launch(attempt, level)
    except LaunchError:
        return False
    try:
        ended = _wait(process)
    finally:
        process.end()
    return ended is not None and ended.code == _KEPT_OUT


def _wait(process: Process) -> Exit | None:
    limit = time.monotonic() + _LIMIT
    while time.monotonic() < limit:
        if ended := process.poll():
            return ended
        time.sleep(0.005)
    return None
