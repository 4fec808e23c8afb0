"""How verdicts in a row become the state of a service: pure rules, one step at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from monitoring.extraction import last_frame
from monitoring.values import Health, Symptom, Verdict

FAILING = frozenset({Health.DOWN, Health.DEGRADED})


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many verdicts in a row change the state."""

    failures: int = 1
    successes: int = 2


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a service stands. While it fails, `verdict` is the failure that was announced, not the latest answer."""

    state: Health = Health.UNKNOWN
    failures: int = 0
    successes: int = 0
    verdict: Verdict | None = None


def cause(verdict: Verdict) -> tuple[str, str, str, str]:
    """Return what tells one failure from another: symptom, error type, path, and where in the code it broke."""
    place = last_frame(verdict.traceback)
    return verdict.symptom, verdict.error_type, verdict.path, place


def step(
    standing: Standing, verdict: Verdict, limits: Limits, *, certain: bool = False
) -> Standing:
    """Return the standing after one more verdict; `certain` (a seen exit) skips the count of failures.

    A verdict of unknown health (a planned stop, a process that starts) changes nothing by itself; the second stop in a
    row makes a healthy service unknown, so that the gap of our own restart is not seen as a change.
    """
    if verdict.health is Health.UNKNOWN:
        return _after_nothing(standing, verdict)
    if verdict.health is Health.HEALTHY:
        return _after_success(standing, verdict, limits)
    failed = replace(standing, failures=standing.failures + 1, successes=0)
    if failed.failures < limits.failures and not certain and standing.state not in FAILING:
        return replace(failed, verdict=verdict)
    return replace(failed, state=verdict.health, verdict=verdict)


def changed(before: Standing, after: Standing) -> bool:
    """Return whether others must hear of the step: another state, or another cause while it goes on failing."""
    if before.state is not after.state:
        return True
    if after.state not in FAILING or before.verdict is None or after.verdict is None:
        return False
    return cause(before.verdict) != cause(after.verdict)


def _after_nothing(standing: Standing, verdict: Verdict) -> Standing:
    if standing.state in FAILING:
        return standing
    seen_before = standing.verdict is not None and standing.verdict.symptom is Symptom.STOPPED
    is_stopped = verdict.symptom is Symptom.STOPPED and seen_before
    return Standing(
        state=Health.UNKNOWN if is_stopped else standing.state, successes=0, verdict=verdict
    )


def _after_success(standing: Standing, verdict: Verdict, limits: Limits) -> Standing:
    successes = standing.successes + 1
    if standing.state in FAILING and successes < limits.successes:
        return replace(standing, failures=0, successes=successes)
    return Standing(state=Health.HEALTHY, successes=successes, verdict=verdict)
