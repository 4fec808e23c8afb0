"""When real requests say that a service fails although its probes are well: plain rules without Django.

A probe may only read. That an order cannot be placed is seen by customers alone, so their answers are judged too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

TRAFFIC = "traffic"
"""The `Verdict.watch` of a failure that was seen in real requests."""

_ID = re.compile(r"\d+|[0-9a-f]{8,}(?:-[0-9a-f]{4,})*", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From when an endpoint fails, and from when it does so no more.

    It fails with at least `failures` failed answers within `window` seconds since its last `good_in_row` good ones, when
    they are at least `share` (0..1) of its answers since then. `quiet` is after how many seconds without any failed answer
    nothing is known any more.
    """

    failures: int = 3
    window: float = 60.0
    share: float = 0.5
    quiet: float = 1800.0
    good_in_row: int = 2


@dataclass(frozen=True)
class Passed:
    """One recorded exchange: when its answer came, of which endpoint, and whether the service failed at it."""

    at: datetime
    endpoint: str
    failed: bool


def endpoint(method: str, path: str) -> str:
    """Return method and path without query and ids, e.g. `POST /api/orders/<id>/pay`."""
    parts = path.partition("?")[0].split("/")
    return f"{method} {'/'.join('<id>' if _ID.fullmatch(part) else part for part in parts)}"


def has_failed(status: int | None, failure: str) -> bool:
    """Return whether an answer shows a failure of the service that probes may not see.

    A refusal (4xx) is good work; slow answers and closed connections are left to the probes, which can repeat them.
    """
    return (status or 0) >= 500 or failure == "timeout"


def failing(passed: Sequence[Passed], limits: Limits, *, now: datetime) -> str | None:
    """Return the endpoint that fails now (of several the one that began first), or None. `passed` is in order of time."""
    recent = _within(passed, limits.window, now)
    failed = dict.fromkeys(one.endpoint for one in recent if one.failed)
    return next((name for name in failed if _begins(_of(recent, name), limits)), None)


def is_over(
    passed: Sequence[Passed], limits: Limits, *, name: str, since: datetime, now: datetime
) -> bool:
    """Return whether the failure of an endpoint that was announced at `since` is over.

    It is when its last answers are good and failures are rare again (under half of the share that began it, so that it
    does not begin anew at once), or after a long time without any failure. A write is never repeated on the live service to find out.
    """
    own = _of(passed, name)
    newest = max((one.at for one in own if one.failed), default=since)
    if now - max(newest, since) > timedelta(seconds=limits.quiet):
        return True
    last = own[-limits.good_in_row :]
    is_good = len(last) == limits.good_in_row and not any(one.failed for one in last)
    return is_good and _share(_within(own, limits.window, now)) < limits.share / 2


def _begins(own: Sequence[Passed], limits: Limits) -> bool:
    lately = _since_it_was_well(own, limits.good_in_row)
    count = sum(one.failed for one in lately)
    is_failing = bool(lately) and lately[-1].failed
    return is_failing and count >= limits.failures and _share(lately) >= limits.share


def _since_it_was_well(own: Sequence[Passed], good_in_row: int) -> Sequence[Passed]:
    """Return what came after the last run of good answers: of a busy endpoint that breaks, the hundred before say nothing."""
    in_row = 0
    for number in range(len(own) - 1, -1, -1):
        in_row = 0 if own[number].failed else in_row + 1
        if in_row == good_in_row:
            return own[number + good_in_row :]
    return own


def _share(own: Sequence[Passed]) -> float:
    return sum(one.failed for one in own) / len(own) if own else 0.0


def _of(passed: Sequence[Passed], name: str) -> list[Passed]:
    return [one for one in passed if one.endpoint == name]


def _within(passed: Sequence[Passed], seconds: float, now: datetime) -> list[Passed]:
    return [one for one in passed if one.at > now - timedelta(seconds=seconds)]
