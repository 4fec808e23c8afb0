"""When the figures of a process say that something leaks or floods although every answer is right: plain rules.

All of them ask for more than a moment: a warm-up, a cache that fills and stays, or one chatty minute are none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

RESOURCES = "resources"
"""The `Verdict.watch` of what the figures of a process show."""

MEMORY, FILES, LOG = "memory grows", "open files grow", "log floods"
WARM_UP_SECONDS = 30.0
_PARTS = 4


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The figures of one moment; `at` in seconds, `log_bytes` counts all that the process wrote. None: not to be had."""

    at: float
    memory: int | None = None
    files: int | None = None
    threads: int | None = None
    cpu_seconds: float | None = None
    log_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From when figures are trouble. Bytes, seconds, and shares (0..1).

    Memory and open files must have grown by a share and by an amount, steadily, over at least `window`; or come near a limit
    (`memory_limit` 0: none declared). The log's limit is per minute, and `usual_log` is what is normal for it (0: unknown).
    """

    window: float = 120.0
    memory_share: float = 0.5
    memory_least: int = 24_000_000
    memory_limit: int = 0
    files_least: int = 60
    file_limit: int = 0
    near: float = 0.8
    log_per_minute: int = 2_000_000
    usual_log: float = 0.0
    log_factor: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """What is wrong with the figures: `kind`, in words with the figures, and the value that says it."""

    kind: str
    detail: str
    value: float


def find_trouble(samples: Sequence[Sample], limits: Limits) -> Trouble | None:
    """Return what the samples of one process (in order of time) show, or None."""
    checks = (_near_file_limit, _near_memory_limit, _log_floods, _memory_grows, _files_grow)
    return next((found for check in checks if (found := check(samples, limits))), None)


def goes_on(trouble: Trouble, samples: Sequence[Sample], limits: Limits) -> bool:
    """Return whether trouble that was found in this very process is still there.

    What leaked is not given back by a pause: it is over when half of it is gone, or when the log is quiet again.
    """
    if trouble.kind == LOG:
        rate = _log_rate(samples)
        return rate is None or rate >= limits.log_per_minute / 2
    now = _last(samples, _read(trouble.kind))
    return now is None or now >= trouble.value / 2


def _near_file_limit(samples: Sequence[Sample], limits: Limits) -> Trouble | None:
    now = _last(samples, _read(FILES))
    if now is None or not limits.file_limit or now < limits.near * limits.file_limit:
        return None
    share = now / limits.file_limit
    return Trouble(
        kind=FILES,
        value=now,
        detail=f"{now:.0f} files and connections are open, {share:.0%} of the {limits.file_limit} that the process may have.",
    )


def _near_memory_limit(samples: Sequence[Sample], limits: Limits) -> Trouble | None:
    now = _last(samples, _read(MEMORY))
    if now is None or not limits.memory_limit or now < limits.near * limits.memory_limit:
        return None
    share = now / limits.memory_limit
    return Trouble(
        kind=MEMORY,
        value=now,
        detail=f"The process holds {_mb(now)}, {share:.0%} of the {_mb(limits.memory_limit)} that are declared for it.",
    )


def _memory_grows(samples: Sequence[Sample], limits: Limits) -> Trouble | None:
    grown = _steady(samples, _read(MEMORY), limits)
    if grown is None:
        return None
    first, last, seconds = grown
    if last - first < max(limits.memory_least, limits.memory_share * first):
        return None
    detail = f"Memory grew steadily from {_mb(first)} to {_mb(last)} in {_minutes(seconds)} and was not given back."
    return Trouble(kind=MEMORY, detail=detail, value=last)


def _files_grow(samples: Sequence[Sample], limits: Limits) -> Trouble | None:
    grown = _steady(samples, _read(FILES), limits)
    if grown is None or grown[1] - grown[0] < limits.files_least:
        return None
    first, last, seconds = grown
    of = f" The limit is {limits.file_limit}." if limits.file_limit else ""
    detail = f"Open files and connections grew steadily from {first:.0f} to {last:.0f} in {_minutes(seconds)}.{of}"
    return Trouble(kind=FILES, detail=detail, value=last)


def _log_floods(samples: Sequence[Sample], limits: Limits) -> Trouble | None:
    rate = _log_rate(samples)
    if rate is None or rate < max(limits.log_per_minute, limits.log_factor * limits.usual_log):
        return None
    usual = f" Usual are {_mb(limits.usual_log)}." if limits.usual_log else ""
    detail = f"The service writes {_mb(rate)} of log a minute.{usual}"
    return Trouble(kind=LOG, detail=detail, value=rate)


def _log_rate(samples: Sequence[Sample]) -> float | None:
    """Return bytes a minute over the last minute, None until a minute has been seen."""
    known = [one for one in samples if one.log_bytes is not None]
    before = [one for one in known if known and one.at <= known[-1].at - 60]
    if not before:
        return None
    first, last = before[-1], known[-1]
    return 60 * ((last.log_bytes or 0) - (first.log_bytes or 0)) / (last.at - first.at)


def _steady(
    samples: Sequence[Sample], read: Callable[[Sample], int | None], limits: Limits
) -> tuple[float, float, float] | None:
    """Return first value, last value and seconds of a growth without a plateau; None when it is none.

    Looked at are all samples and their later half: a leak may have begun in the middle of a long life.
    """
    begun = samples[0].at + WARM_UP_SECONDS if samples else 0.0
    known = [
        (one.at, value) for one in samples if one.at >= begun and (value := read(one)) is not None
    ]
    halves = (known, known[len(known) // 2 :])
    return next((found for half in halves if (found := _growth(half, limits.window))), None)


def _growth(known: Sequence[tuple[float, int]], window: float) -> tuple[float, float, float] | None:
    """Cut the time into parts, each of which must have its share of the growth, so that one jump is no leak."""
    if len(known) < 2 * _PARTS or known[-1][0] - known[0][0] < window:
        return None
    marks = [known[(len(known) - 1) * part // _PARTS][1] for part in range(_PARTS + 1)]
    total = marks[-1] - marks[0]
    least = total / (4 * _PARTS)
    if total <= 0 or any(after - before < least for before, after in pairwise(marks)):
        return None
    return float(marks[0]), float(marks[-1]), known[-1][0] - known[0][0]


def _read(kind: str) -> Callable[[Sample], int | None]:
    return (lambda one: one.memory) if kind == MEMORY else (lambda one: one.files)


def _last(samples: Sequence[Sample], read: Callable[[Sample], int | None]) -> float | None:
    return read(samples[-1]) if samples else None


def _mb(value: float) -> str:
    return f"{value / 1e6:.1f} MB"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f} minutes"
