"""Trials at Blaxel: copies of a service in a second sandbox, made on demand; never in the live one, never on this host."""

from __future__ import annotations

import contextlib
import logging
import random
import secrets
import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings

from agentops_site.integrations import blaxel_http, blaxel_machine, blaxel_service
from agentops_site.integrations.blaxel_machine import HOME, Machine
from agentops_site.integrations.breaker import VendorError
from incidents.ports import Box, SandboxError
from incidents.values import BoxPlan, BoxUsage, StartUp
from monitoring.check_commands import CheckRun
from monitoring.globs import matches, safe_relative
from monitoring.ports import Call, TargetError
from monitoring.values import Answer, HttpRequest

log = logging.getLogger(__name__)

MAX_DATA_BYTES = 100_000_000
_POLL_SECONDS = 0.05
_LOG_TAIL_BYTES = 16_000
_PORTS = range(20_000, 30_000)  # below those that the kernel gives out by itself
_SIDE_FILES = ("-wal", "-shm", "-journal")


@contextlib.contextmanager
def _possible() -> Iterator[None]:
    """Say of everything that goes wrong with Blaxel that no trial is possible: nobody takes this host in its place."""
    try:
        yield
    except VendorError as error:
        raise SandboxError(f"no trial at Blaxel: {error}", permanent=error.permanent) from error
    except (blaxel_http.Away, TargetError) as error:
        raise SandboxError(f"no trial at Blaxel: {error}") from error


class BlaxelSandbox:
    """Makes boxes in the sandbox `BLAXEL_TRIAL_SANDBOX`."""

    name = "blaxel"

    def prepare(self) -> None:
        """Do nothing: the sandbox is made on demand, and its SDK is not loaded before."""

    def open(self, plan: BoxPlan) -> Box:
        """Put a copy as planned into the trial sandbox, not yet started; raise `SandboxError` when it is not possible."""
        for path in plan.tree:
            if not safe_relative(path):
                raise SandboxError(
                    f"no trial copy: {path!r} is not a path below the service", permanent=True
                )
        with _possible():
            machine = _trial_machine()
            data, digest = _data(plan)
            place = f"trials/{secrets.token_hex(8)}/work"
            bundles = [machine.send(plan.tree)] + ([machine.send(data)] if data else [])
            machine.inside(
                "unpack", {"directory": place, "bundles": bundles, "marked": True}, seconds=60
            )
        return BlaxelBox(plan, machine, place, digest)


def _trial_machine() -> Machine:
    idle = {"type": "ttl-idle", "value": settings.BLAXEL_TRIAL_IDLE, "action": "delete"}
    return blaxel_machine.find_or_make(
        settings.BLAXEL_TRIAL_SANDBOX,
        {
            "image": settings.BLAXEL_IMAGE,
            "memory": settings.BLAXEL_MEMORY_MB,
            "region": settings.BLAXEL_REGION,
            "lifecycle": {"expirationPolicies": [idle]},
        },
    )


def _data(plan: BoxPlan) -> tuple[dict[str, bytes], str]:
    """Return a consistent copy of the live service's data, taken inside its sandbox, and its digest."""
    if not plan.data_from or not plan.data_globs:
        return {}, ""
    live, out = blaxel_service.machine_of(), f"passing/{secrets.token_hex(8)}"
    args = {
        "directory": blaxel_service.place_of(plan.data_from),
        "data_globs": plan.data_globs,
        "leave_out": sorted(plan.tree),
        "max_bytes": MAX_DATA_BYTES,
        "out": out,
    }
    digest = str(live.inside("export", args, seconds=60)["digest"])
    return live.fetch(out), digest


class BlaxelBox:
    """One copy in the trial sandbox; see `incidents.ports.Box`."""

    def __init__(self, plan: BoxPlan, machine: Machine, place: str, digest: str) -> None:
        self.plan = plan
        self.isolation = f"Blaxel sandbox {machine.name} (a virtual machine of its own)"
        self._machine = machine
        self._place = place
        self._digest = digest
        self._process = f"trial-{secrets.token_hex(6)}"
        self._port = 0
        self._used: BoxUsage | None = None

    def start(self) -> StartUp:
        """Start the copy and wait until its health path answers anything, it exits, or the time is over.

        Raises `SandboxError` when Blaxel fails: that is no word on the fix.
        """
        begun = time.monotonic()
        with _possible():
            self._launch()
            first, ended = self._await_answer(begun + self.plan.start_timeout)
            tail = self._machine.log(self._process)[-_LOG_TAIL_BYTES:].decode(errors="replace")
        return StartUp(
            answered=first.status is not None,
            hung=first.failure == "hung",
            seconds=round(time.monotonic() - begun, 4),
            exit_code=_exit_code(ended),
            signal=9 if ended and _exit_code(ended) is None else None,
            log_tail=tail,
        )

    def _launch(self) -> None:
        plan, self._port = self.plan, random.choice(_PORTS)  # noqa: S311 - no secret
        where = f"{HOME}/{self._place}"
        self._machine.start(
            self._process,
            blaxel_service.command_line(plan.command, self._port, plan.data_from, where),
            working_dir=where,
            env=blaxel_service.environment(plan.environment, self._port, plan.data_from, where),
            keep_alive=settings.BLAXEL_KEEP_ALIVE,
            timeout=int(plan.wall_seconds),
        )

    def _await_answer(self, limit: float) -> tuple[Answer, dict[str, Any] | None]:
        health, patience = HttpRequest(path=self.plan.health_path), self.plan.patience
        while (left := limit - time.monotonic()) > 0:
            answer = self.ask(health, min(left, patience or left))
            if answer.status is not None:
                return answer, None
            if ended := self._ended():
                return answer, ended
            if patience and answer.failure == "timeout":
                return Answer(failure="hung"), None
            time.sleep(_POLL_SECONDS)
        return Answer(failure="timeout"), self._ended()

    def _ended(self) -> dict[str, Any] | None:
        found = blaxel_http.look(self._machine.name, f"/process/{self._process}", 3.0)
        return found if found and found.get("status") != "running" else None

    def ask(self, request: HttpRequest, timeout: float) -> Answer:
        """Send one request to the copy; never raises for the copy's fault."""
        if not self._port or self._used is not None:
            return Answer(failure="unreachable")
        base = f"{blaxel_http.SCHEME}{self._machine.name}:{self._port}"
        return blaxel_http.ask(Call(key=0, base_url=base, request=request, timeout=timeout))

    def check(self, words: tuple[str, ...], seconds: float) -> CheckRun:
        """Learn nothing: nothing at Blaxel ends a command with its children at a limit and says how it went."""
        return CheckRun(ran=False, why="check commands are not run at Blaxel")

    def close(self) -> BoxUsage:
        """End everything that the box started, remove its files, and return what it used."""
        if self._used is None:
            self._used = BoxUsage(data_digest=self._digest)
            try:
                if self._port:
                    self._machine.kill(self._process)
                folder = self._place.rpartition("/")[0]
                changed = self._machine.inside("remove", {"directory": self._place, "top": folder})
                self._used = BoxUsage(
                    written_outside_data=self._outside(changed["changed"]),
                    data_digest=self._digest,
                )
            except (
                VendorError
            ) as error:  # the sandbox deletes itself when it is idle, and the copy with it
                log.warning("A trial copy was not cleaned up: %s", error)
        return self._used

    def _outside(self, changed: list[str]) -> tuple[str, ...]:
        data = self.plan.data_globs
        globs = (*data, *(f"{glob}{end}" for glob in data for end in _SIDE_FILES))
        return tuple(name for name in changed if not matches(name, globs))


def _exit_code(ended: dict[str, Any] | None) -> int | None:
    code = (
        ended.get("exitCode") if ended and ended.get("status") in {"completed", "failed"} else None
    )
    return code if isinstance(code, int) and code >= 0 else None
