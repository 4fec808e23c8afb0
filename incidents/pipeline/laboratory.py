"""The copies that all trials of one attempt share: each version of the service runs once, several side by side.

A version is known by the digest of its files and environment. A fix that leads exactly to last known good, or a set of
changes that a search has tried already, is therefore never started twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

from incidents.engine import receipts
from incidents.engine.receipts import Receipt
from incidents.models import Fix, Incident
from incidents.pipeline.fixes import base_digest, written_bytes
from incidents.pipeline.packs import pack_of
from incidents.pipeline.proving import Copy, Version, run_copy
from incidents.pipeline.scripts import Script, script_of
from incidents.pipeline.tools import Tools
from incidents.ports import SandboxError
from incidents.values import EvidencePack
from monitoring.values import Tree

COPIES_AT_ONCE = 4
HANGS_AFTER = 2.0
"""A fix whose first health answer takes so many seconds is no fix; its trial need not wait for the whole start time."""
CORES = max(2, os.cpu_count() or 2)
LEAST_TIMEOUT, LEAST_START = 0.6, 2.0
PATIENCE = 8.0
"""A version under search may take so many times what last known good took before it counts as hung."""


class Laboratory:
    """Runs versions of one service in isolation and judges them; make it with `laboratory`."""

    def __init__(
        self, incident: Incident, tools: Tools, pack: EvidencePack, pool: ThreadPoolExecutor
    ) -> None:
        self.pack = pack
        self.script: Script = script_of(incident, pack)
        self._incident, self._tools, self._pool = incident, tools, pool
        self._copies: dict[str, Future[Copy]] = {}

    def start(self, version: Version) -> Future[Copy]:
        """Return the run of a version, begun now unless this very version runs or ran already."""
        key = base_digest(version.tree, dict(version.environment))
        if key not in self._copies:
            self._copies[key] = self._begin(version)
        return self._copies[key]

    def _begin(self, version: Version) -> Future[Copy]:
        return self._pool.submit(run_copy, self._incident, self._tools, version, self.script.asked)

    def without(self) -> Future[Copy]:
        """Return the run of the service as it is: is the failure seen in a copy, too?"""
        pack = self.pack
        return self.start(
            Version(
                name="without",
                tree=pack.current,
                environment=pack.environment,
                patience=self._incident.service.timeout,
            )
        )

    def last_good(self) -> Future[Copy] | None:
        """Return the run of last known good: what is right. None where there is none."""
        version = self._last_good("good")
        return None if version is None else self.start(version)

    def _last_good(self, name: str) -> Version | None:
        if self.pack.last_good is None:
            return None
        environment = self.pack.last_good_environment
        if environment is None:
            environment = self.pack.environment
        return Version(name=name, tree=self.pack.last_good, environment=environment)

    def judge(self, version: Version) -> Receipt:
        """Run a version and return its receipt; raises `SandboxError` when no copy could be made.

        Last known good is run a second time only when an answer differs from it: what differs between the two is noise.
        """
        running, _, right = self.start(version), self.without(), self.last_good()
        fixed, runs = running.result(), [] if right is None else [right.result()]
        receipt = self._judged(fixed, runs)
        if receipt.differs and runs:
            runs.append(self._again())
            receipt = self._judged(fixed, runs)
        return receipt

    def _judged(self, fixed: Copy, runs: list[Copy]) -> Receipt:
        return receipts.judge(
            script=self.script, fixed=fixed, without=self.without().result(), references=runs
        )

    def _again(self) -> Copy:
        if "again" not in self._copies:
            version = self._last_good("good-again")
            assert version is not None  # noqa: S101 - only asked where a first run of it was compared
            self._copies["again"] = self._begin(version)
        return self._copies["again"].result()

    def hurried(self, version: Version) -> Version:
        """Return the version with the patience that last known good's own speed justifies, so that hangs cost little."""
        right = self.last_good()
        if right is None:
            return version
        seen = right.result()
        slowest = max((a.elapsed_ms for a in seen.answers if not a.failure), default=0.0) / 1000
        timeout = min(self._incident.service.timeout, max(LEAST_TIMEOUT, PATIENCE * slowest))
        return replace(
            version,
            timeout=timeout,
            patience=timeout,
            start_timeout=min(
                version.start_timeout, max(LEAST_START, PATIENCE * seen.startup.seconds)
            ),
        )


@contextmanager
def laboratory(incident: Incident, tools: Tools) -> Iterator[Laboratory]:
    """Have a laboratory for one attempt; every thread ends when the trials are over."""
    with ThreadPoolExecutor(max_workers=max(COPIES_AT_ONCE, CORES)) as pool:
        try:
            yield Laboratory(incident, tools, pack_of(incident), pool)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def try_fix(room: Laboratory, fix: Fix) -> Receipt:
    """Return the receipt of one candidate; an impossible trial is a receipt too, with `passed` None."""
    pack = room.pack
    version = Version(
        name=f"fix-{fix.rank}",
        tree=with_writes(pack.current, written_bytes(fix)),
        environment=pack.environment if fix.environment is None else fix.environment,
        patience=HANGS_AFTER,
    )
    try:
        return room.judge(version)
    except SandboxError as error:
        return receipts.impossible(f"A trial is not possible: {error}")


def with_writes(tree: Tree, writes: Mapping[str, bytes | None]) -> Tree:
    """Return the files after a change; None deletes one."""
    merged = {**tree, **writes}
    return {path: data for path, data in merged.items() if data is not None}
