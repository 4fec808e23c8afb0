"""Recognises services that a trial cannot prove as others: each is named on the receipt, and may lower autonomy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from incidents.engine.verdicts import Line
from incidents.values import BoxUsage, StartUp

_PORT_TAKEN = re.compile(
    r"address (?:is )?already in use|EADDRINUSE|errno 98\b|port .* in use", re.I
)
_LOCKED = re.compile(r"\block(?:ed|file)?\b|EWOULDBLOCK|resource temporarily unavailable", re.I)
_SECOND = re.compile(r"already (?:running|started)|another instance|pid ?file", re.I)
_HUGE = re.compile(r"data too large", re.I)
_STILL = re.compile(r"no consistent copy", re.I)
_LIMIT_SIGNALS = {24: "processor time", 25: "file size", 31: "forbidden system calls"}


@dataclass(frozen=True, kw_only=True)
class Trait:
    """Something that makes a trial prove less. `lowers` says that no fix goes live without a person because of it."""

    name: str
    words: str
    lowers: bool = True


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What the service's row says of its start and data, and what a copy may use."""

    takes_port: bool = True
    declares_data: bool = True
    writes: bool = False
    memory_bytes: int = 0


class Ran(Protocol):
    """What is looked at in a copy."""

    @property
    def startup(self) -> StartUp: ...
    @property
    def usage(self) -> BoxUsage: ...


def of_copies(
    setup: Setup, fixed: Ran, references: Sequence[Ran], lines: Sequence[Line]
) -> list[Trait]:
    """Return what is special about this service, as its copies showed it."""
    found = [*_start(setup, fixed, references), *_data(setup, fixed), *_answers(lines)]
    return [*found, *_limits(setup, fixed), *_outside(fixed)]


def of_refusal(reason: str) -> list[Trait]:
    """Return what a sandbox that could not make a copy said about the service."""
    if _HUGE.search(reason):
        return [Trait(name="huge_data", words="its data are too large to be copied for a trial")]
    if _STILL.search(reason):
        return [
            Trait(name="restless_data", words="its data never stand still long enough for a copy")
        ]
    return []


def no_copy_starts(found: Sequence[Trait], references: Sequence[Ran]) -> str:
    """Return why no trial is possible when not even last known good starts in a copy, else an empty text."""
    named = next((one.words for one in found if one.name in _STARTS), "")
    if named:
        return f"no copy of this service can be asked: {named}"
    if not references or any(run.startup.answered for run in references):
        return ""
    said = last_line(references[0].startup.log_tail)
    return f"no copy of this service starts here, not even last known good: {said}"


_STARTS = {"fixed_port", "locks_data", "starts_once"}


def _start(setup: Setup, fixed: Ran, references: Sequence[Ran]) -> list[Trait]:
    if fixed.startup.answered or any(run.startup.answered for run in references):
        return []
    log = "\n".join(run.startup.log_tail for run in (*references, fixed))
    if _PORT_TAKEN.search(log) or not setup.takes_port:
        return [
            Trait(
                name="fixed_port", words="it listens on a fixed port, so that no copy can be asked"
            )
        ]
    if not references:
        return []
    if _SECOND.search(log):
        return [Trait(name="starts_once", words="it refuses to be started a second time")]
    if _LOCKED.search(log):
        return [
            Trait(name="locks_data", words="it needs a lock on its data that a copy cannot have")
        ]
    return []


def _data(setup: Setup, fixed: Ran) -> list[Trait]:
    if fixed.usage.data_digest:
        return []
    words = (
        "no data were found where the service declares them"
        if setup.declares_data
        else "the service declares no data directory"
    )
    return [
        Trait(name="no_data", words=f"{words}: the copies ran without data", lowers=setup.writes)
    ]


def _answers(lines: Sequence[Line]) -> list[Trait]:
    noisy = [line for line in lines if line.mask.blind]
    if not noisy:
        return []
    request = noisy[0].exchange.request
    words = f"{request.method} {request.path} is answered differently at every call, {noisy[0].mask.words()}"
    return [Trait(name="differs_always", words=f"{words}: its answers prove little")]


def _limits(setup: Setup, fixed: Ran) -> list[Trait]:
    signal = fixed.startup.signal or 0
    hit = _LIMIT_SIGNALS.get(signal, "")
    peak = fixed.usage.peak_memory_bytes or 0
    if setup.memory_bytes and peak >= 0.95 * setup.memory_bytes:
        hit = "memory"
    return [Trait(name="limit", words=f"the copy hit its limit of {hit}")] if hit else []


def _outside(fixed: Ran) -> list[Trait]:
    written = fixed.usage.written_outside_data
    if not written:
        return []
    words = f"the process wrote files outside of its data: {', '.join(written[:5])}"
    return [Trait(name="writes_outside", words=words, lowers=False)]


def last_line(log: str) -> str:
    """Return the last words of a log."""
    lines = [line for line in log.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it wrote no log"
