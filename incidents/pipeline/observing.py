"""Looks at a failing service from all sides at once: process, log, files, and where a hanging one stands.

What cannot be read becomes a sentence among the problems ("log: permission denied"), never an error.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from incidents.values import Failure
from monitoring.ports import TargetError, TargetReader
from monitoring.values import HttpRequest, ProcessState, ServiceSpec, Symptom, Tree, storable

LOG_BYTES = 64_000
SAMPLES = 3
SAMPLE_GAP = 0.1
MAX_SAMPLE_CHARACTERS = 100_000
_HANGS = {Symptom.TIMEOUT, Symptom.SLOW}
_READS = {"GET", "HEAD"}
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen of a service. `tree` is None when its files cannot be read, which is not the same as no files.

    `stacks` holds one or more samples under `Sample N` headings; `cpu_share` is the share of one processor that the
    process used between the first sample and the last, None without samples.
    """

    process: ProcessState
    log: str = ""
    stacks: str = ""
    cpu_share: float | None = None
    tree: Tree | None = None
    problems: tuple[str, ...] = ()


@dataclass
class Looking:
    """The reads that are under way; `result` waits for them."""

    process: Future[tuple[ProcessState, str, float | None]]
    log: Future[bytes]
    tree: Future[Tree | None]
    problems: list[str] = field(default_factory=list)

    def result(self) -> Seen:
        """Wait for every read and return what was seen."""
        process, stacks, cpu_share = self.process.result()
        return Seen(
            process=process,
            log=storable(self.log.result().decode("utf-8", "replace")),
            stacks=storable(stacks),
            cpu_share=cpu_share,
            tree=self.tree.result(),
            problems=tuple(sorted(self.problems)),
        )


def look(
    pool: ThreadPoolExecutor, spec: ServiceSpec, reader: TargetReader, failure: Failure
) -> Looking:
    """Start all reads side by side and return them; only a hanging service takes longer than its slowest read."""
    problems: list[str] = []

    def attempt(what: str, read: Callable[[], T], otherwise: T) -> T:
        try:
            return read()
        except TargetError as error:
            problems.append(f"{what}: {error}")
            return otherwise

    def process() -> tuple[ProcessState, str, float | None]:
        state = attempt("process", lambda: reader.process(spec), ProcessState())
        hangs = failure.symptom in _HANGS and state.phase == "running"
        if not hangs or state.state in {
            "T",
            "t",
        }:  # what is stopped runs no code that could be slow
            return state, "", None
        stacks = attempt("stacks", lambda: _sampled(pool, spec, reader, failure), "")
        after = attempt("process", lambda: reader.process(spec), ProcessState())
        return after, stacks, _cpu_share(state, after, time.monotonic() - begun)

    begun = time.monotonic()
    nothing: Tree | None = None
    return Looking(
        process=pool.submit(process),
        log=pool.submit(attempt, "log", lambda: reader.read_log(spec, LOG_BYTES), b""),
        tree=pool.submit(attempt, "files", lambda: reader.read_tree(spec), nothing),
        problems=problems,
    )


def _sampled(
    pool: ThreadPoolExecutor, spec: ServiceSpec, reader: TargetReader, failure: Failure
) -> str:
    """Return several samples of the stacks while the failing read is asked once more.

    A request that is slow, but not dead, has long been answered when we look; and one sample cannot tell a loop that
    goes round from a thread that waits.
    """
    if failure.path and failure.method in _READS:
        request = HttpRequest(method=failure.method, path=failure.path)
        pool.submit(reader.request, spec, request, spec.timeout)
    samples = []
    for number in range(1, SAMPLES + 1):
        time.sleep(SAMPLE_GAP)
        sample = reader.stack(spec)[:MAX_SAMPLE_CHARACTERS]
        samples.append(f"Sample {number}\n{sample}")
    return "\n".join(samples)


def _cpu_share(before: ProcessState, after: ProcessState, seconds: float) -> float | None:
    if before.pid != after.pid or before.cpu_seconds is None or after.cpu_seconds is None:
        return None
    return round(max(after.cpu_seconds - before.cpu_seconds, 0.0) / max(seconds, 0.001), 2)
