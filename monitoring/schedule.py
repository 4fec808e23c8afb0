"""When a service is asked next: fixed-rate times that neither drift nor pile up. Pure arithmetic on seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass

EARLY_INTERVAL = 0.5
"""Seconds between probes of a service that has no last known good yet."""

_GOLDEN = 0.6180339887498949


@dataclass(frozen=True, kw_only=True)
class Plan:
    """When to ask, in seconds from now, and when the service is due after that."""

    starts: tuple[float, ...]
    next_due: float


def plan(due: float, *, interval: float, window: float, spread: float = 0.0) -> Plan:
    """Return the starts in the window and the next due time, all in seconds from now (`due` may be past).

    Missed times are skipped: a service that was not asked for an hour is asked once, now, not 720 times. `spread`
    moves the time after that (see `phase`).
    """
    if due < 0:
        missed = math.floor(-due / interval)
        due += missed * interval
    count = max(1, math.ceil((window - due) / interval))
    starts = tuple(max(0.0, due + k * interval) for k in range(count))
    return Plan(starts=starts, next_due=due + count * interval - spread * interval)


def phase(service_id: int) -> float:
    """Return the share of an interval by which a service's second probe comes early, so that phases spread.

    Services made at the same moment would otherwise be due together for ever. Multiples of the golden ratio spread
    any run of ids evenly.
    """
    return (service_id * _GOLDEN) % 1.0
