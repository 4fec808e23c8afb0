"""Trials on this machine: a private copy of a service, started at the best isolation level that can be had."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from django.conf import settings

from agentops_site.integrations.isolation import folders, landlock
from agentops_site.integrations.isolation.data_copy import CopyError, Data, copy
from agentops_site.integrations.isolation.http_over import Bounds, exchange, failure_of
from agentops_site.integrations.isolation.levels import Level
from agentops_site.integrations.isolation.preparation import (
    free_port,
    launch_of,
    marks,
    words_in,
    write_tree,
)
from agentops_site.integrations.isolation.probe import best_level
from agentops_site.integrations.isolation.process import (
    Exit,
    LaunchError,
    Process,
    describe,
    launch,
)
from agentops_site.integrations.isolation.relocate import StillLive
from incidents.ports import Box, SandboxError
from incidents.values import BoxPlan, BoxUsage, StartUp
from monitoring.check_commands import CheckRun
from monitoring.globs import matches
from monitoring.values import Answer, HttpRequest, storable

_POLL_SECONDS = 0.01
_LOG_TAIL_BYTES = 16_000
_HUNG = "hung"
_CONNECTS = 4
"""From this Landlock version on, a box may reach its own port from inside; before, no connection is let out."""


class LocalSandbox:
    """Makes boxes on this host, below `AGENTOPS_DATA/trials`."""

    name = "local"

    def __init__(self, *, base: Path | None = None, level: Level | None = None) -> None:
        self.base = base or Path(settings.DATA_DIR) / "trials"
        self.level = level
        self.max_data_bytes = int(getattr(settings, "TRIAL_MAX_DATA_BYTES", 512_000_000))

    def prepare(self) -> None:
        """Find the best isolation level that this machine offers; processes forked from here know it."""
        best_level()

    def open(self, plan: BoxPlan) -> Box:
        """Prepare a copy as planned, not yet started; raise `SandboxError` when it is not possible.

        Boxes that a killed worker left behind are removed first.
        """
        level = self.level or best_level()
        folders.sweep(self.base)
        folder = folders.make(self.base, level)
        try:
            write_tree(plan, folder.work)
            digest = self._copy_data(plan, folder.work)
            return LocalBox(plan, folder, level, digest)
        except (CopyError, StillLive, OSError) as error:
            folder.remove()
            permanent = getattr(error, "permanent", isinstance(error, StillLive))
            raise SandboxError(f"no trial copy: {error}", permanent=permanent) from error
        except BaseException:
            folder.remove()
            raise

    def _copy_data(self, plan: BoxPlan, work: Path) -> str:
        if not plan.data_from:
            return ""
        data = Data(
            source=Path(plan.data_from),
            globs=plan.data_globs,
            max_bytes=self.max_data_bytes,
            leave_out=frozenset(plan.tree),
        )
        digest = copy(data, work)
        if (
            plan.helpers
        ):  # no data: they neither count for the digest nor stand for a data directory
            copy(replace(data, globs=plan.helpers), work)
        return digest


class LocalBox:
    """One copy in its private folder; see `incidents.ports.Box`."""

    def __init__(self, plan: BoxPlan, folder: folders.Folder, level: Level, digest: str) -> None:
        self.plan = plan
        self.port = free_port()
        self.isolation = describe(level, dropped=True)
        self._folder = folder
        self._level = level
        self._digest = digest
        self._launch = launch_of(plan, folder, self.port)
        self._process: Process | None = None
        self._before = marks(folder.work)
        self._used: BoxUsage | None = None

    def start(self) -> StartUp:
        """Start the copy and wait until its health path answers anything, it exits, or the time is over."""
        begun = time.monotonic()
        try:
            self._process = process = launch(self._launch, self._level)
        except LaunchError as error:
            return StartUp(answered=False, seconds=time.monotonic() - begun, log_tail=str(error))
        self.isolation = process.isolation
        first, ended = self._await_answer(process, begun + self.plan.start_timeout)
        return StartUp(
            answered=first.status is not None,
            hung=first.failure == _HUNG,
            seconds=round(time.monotonic() - begun, 4),
            exit_code=ended.code if ended else None,
            signal=ended.signal if ended else None,
            log_tail=self._log_tail(),
        )

    def _await_answer(self, process: Process, limit: float) -> tuple[Answer, Exit | None]:
        health, patience = HttpRequest(path=self.plan.health_path), self.plan.patience
        while (left := limit - time.monotonic()) > 0:
            answer = self.ask(health, min(left, patience or left))
            if answer.status is not None:
                return answer, None
            if ended := process.poll():
                return answer, ended
            if patience and answer.failure == "timeout":
                return Answer(failure=_HUNG), None
            time.sleep(_POLL_SECONDS)
        return Answer(failure="timeout"), process.poll()

    def ask(self, request: HttpRequest, timeout: float) -> Answer:
        """Send one request to the copy; never raises for the copy's fault."""
        if self._process is None:
            return Answer(failure="unreachable")
        begun = time.monotonic()
        try:
            connection = self._process.connect(timeout)
        except OSError as error:
            return Answer(failure=failure_of(error), elapsed_ms=(time.monotonic() - begun) * 1000)
        left = max(timeout - (time.monotonic() - begun), 0.001)
        return exchange(connection, request, Bounds(timeout=left, host=f"127.0.0.1:{self.port}"))

    def check(self, words: tuple[str, ...], seconds: float) -> CheckRun:
        """Run a check command in the copy, behind the same walls; never raises for the copy's fault."""
        if self._process is None:
            return CheckRun(ran=False, why="the copy does not run")
        if (
            self._level is Level.LANDLOCK
            and landlock.abi() < _CONNECTS
            and "{port}" in " ".join(words)
        ):
            return CheckRun(ran=False, why="on this machine nothing in a box may reach its port")
        try:
            command = words_in(self.plan, words, self._folder, self.port)
        except StillLive as error:
            return CheckRun(ran=False, why=str(error))
        begun = time.monotonic()
        ran = self._process.run(command, seconds)
        if ran is None:
            return CheckRun(ran=False, why="the copy was lost while its check ran")
        took = round(time.monotonic() - begun, 3)
        return CheckRun(ran=True, exit_code=ran[0], output=storable(ran[1]), seconds=took)

    def close(self) -> BoxUsage:
        """End everything that the box started, remove its files, and return what it used."""
        if self._used is None:
            open_files = self._process.open_files() if self._process else None
            usage = self._process.end() if self._process else None
            self._used = BoxUsage(
                cpu_seconds=usage.cpu_seconds if usage else None,
                peak_memory_bytes=usage.peak_memory_bytes if usage else None,
                open_files=open_files,
                log_bytes=self._folder.log.stat().st_size if self._folder.log.exists() else None,
                written_outside_data=self._written(),
                data_digest=self._digest,
            )
            if usage and usage.cpu_seconds is None:
                folders.kill_inside(self._folder.top)
            self._folder.remove()
        return self._used

    def _written(self) -> tuple[str, ...]:
        after = marks(self._folder.work)
        changed = {
            name
            for name in after.keys() | self._before.keys()
            if after.get(name) != self._before.get(name)
        }
        globs = (
            *self.plan.data_globs,
            *(
                f"{glob}{end}"
                for glob in self.plan.data_globs
                for end in ("-wal", "-shm", "-journal")
            ),
        )
        return tuple(sorted(name for name in changed if not matches(name, globs)))

    def _log_tail(self) -> str:
        with self._folder.log.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(size - _LOG_TAIL_BYTES, 0))
            return storable(log.read().decode(errors="replace"))
