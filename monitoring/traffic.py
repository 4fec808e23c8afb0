"""Adds to healthy deep probes what real requests say: the flight recorder sees failures that no probe may ask for."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from monitoring import providers
from monitoring.extraction import last_frame
from monitoring.judging import Question, judge
from monitoring.judging_traffic import (
    TRAFFIC,
    Limits,
    Passed,
    endpoint,
    failing,
    has_failed,
    is_over,
)
from monitoring.models import RecordedExchange, Service, ServiceHealth
from monitoring.outcomes import Observation, verdict_from_json
from monitoring.ports import TargetError
from monitoring.standing import FAILING
from monitoring.values import Answer, Health, HttpRequest, Verdict

log = logging.getLogger(__name__)

OURS = ("smoke",)
"""Sources of exchanges that the probes themselves judge."""


def limits() -> Limits:
    """Return the rule of the settings TRAFFIC_*."""
    return Limits(
        failures=settings.TRAFFIC_FAILURES,
        window=settings.TRAFFIC_WINDOW_SECONDS,
        share=settings.TRAFFIC_FAILING_SHARE,
        quiet=settings.TRAFFIC_QUIET_SECONDS,
    )


def with_traffic(observations: Sequence[Observation], *, now: datetime) -> list[Observation]:
    """Return the observations, each healthy deep one replaced where real requests fail, or have stopped failing.

    Two small reads for all of them together; more only of services with failed requests.
    """
    asked = {one.service_id for one in observations if _is_asked(one)}
    standing = _standing(asked) if asked else {}
    concerned = standing.keys() | (_with_failures(asked, now) if asked else set())
    services = Service.objects.in_bulk(concerned) if concerned else {}
    return [
        _judged(one, services[one.service_id], standing.get(one.service_id), now)
        if _is_asked(one) and one.service_id in services
        else one
        for one in observations
    ]


def forgive(*, service_id: int, now: datetime) -> None:
    """Let failed requests up to now prove nothing any more: what answered them has been repaired."""
    ServiceHealth.objects.filter(service_id=service_id).update(traffic_since=now)


def reaches_limit(service: Service, request: HttpRequest, *, now: datetime) -> bool:
    """Return whether the failure that was recorded just now is the one that makes its endpoint fail (once, not again)."""
    rule, own = limits(), endpoint(request.method, request.path)
    rows = _failures(now, rule.window).filter(service=service)
    names = [endpoint(method, path) for method, path in rows.values_list("method", "path")[:100]]
    return names.count(own) == rule.failures


def _is_asked(one: Observation) -> bool:
    return one.was_deep and one.verdict.health is Health.HEALTHY


def _standing(ids: Iterable[int]) -> dict[int, tuple[Verdict, datetime]]:
    """Return the announced failures of real requests with the moment from which they stand."""
    rows = ServiceHealth.objects.filter(service_id__in=ids, state__in=FAILING)
    kept = {row.service_id: (verdict_from_json(row.verdict), row.since) for row in rows}
    return {pk: (v, since) for pk, (v, since) in kept.items() if v and v.watch == TRAFFIC}


def _with_failures(ids: Iterable[int], now: datetime) -> set[int]:
    rows = _failures(now, settings.TRAFFIC_WINDOW_SECONDS).filter(service_id__in=ids)
    return set(rows.values_list("service_id", flat=True))


def _failures(now: datetime, seconds: float) -> Any:
    rows = RecordedExchange.objects.filter(good=False, at__gt=now - timedelta(seconds=seconds))
    return rows.exclude(source__in=OURS)


def _judged(
    one: Observation,
    service: Service,
    standing: tuple[Verdict, datetime] | None,
    now: datetime,
) -> Observation:
    rule = replace(limits(), good_in_row=service.successes_before_recovery)
    mended = _mended_at(service)
    rows = _rows(service, since=max(mended, now - timedelta(seconds=rule.quiet)))
    passed = [
        Passed(row["at"], endpoint(row["method"], row["path"]), _has_failed(row)) for row in rows
    ]
    if standing is not None:
        verdict, since = standing
        name = endpoint(verdict.method, verdict.path)
        if mended > since or is_over(passed, rule, name=name, since=since, now=now):
            return replace(one, verdict=replace(one.verdict, watch=TRAFFIC), source=TRAFFIC)
        return _failed(one, _witness(service, rows, name) or verdict, verdict)
    found = failing(passed, rule, now=now)
    witness = _witness(service, rows, found) if found else None
    return one if witness is None else _failed(one, witness, None)


def _failed(one: Observation, seen: Verdict, before: Verdict | None) -> Observation:
    """Return the failing observation; another order number in the path is the same failure, not news."""
    if before is not None and _cause(seen) == _cause(before):
        seen = before
    return replace(one, verdict=seen, source=TRAFFIC, certain=True)


def _cause(verdict: Verdict) -> tuple[str, str, str]:
    return verdict.symptom, verdict.error_type, last_frame(verdict.traceback)


def _mended_at(service: Service) -> datetime:
    """Return from when failed requests count: a process that started since, or a repair, answers for itself."""
    health = ServiceHealth.objects.get(service=service)
    mended = health.traffic_since or service.created_at
    spec = service.spec()
    try:
        started = providers.reader(spec).process(spec).started_at
    except TargetError as error:
        log.warning("No word on the process of %s: %s", service.slug, error)
        return mended
    if started is None:
        return mended
    return max(mended, datetime.fromtimestamp(started, tz=mended.tzinfo))


def _rows(service: Service, *, since: datetime) -> list[dict[str, Any]]:
    ring = RecordedExchange.objects.filter(service=service, at__gt=since).exclude(source__in=OURS)
    newest = ring.order_by("-id").values("pk", "at", "method", "path", "status", "failure")
    return [dict(row) for row in newest[: settings.RECORDER_MAX_EXCHANGES]][::-1]


def _has_failed(row: dict[str, Any]) -> bool:
    return has_failed(row["status"], row["failure"])


def _witness(service: Service, rows: Sequence[dict[str, Any]], name: str) -> Verdict | None:
    """Return the verdict of the newest failed answer of an endpoint, with what it says of its error."""
    own = (row for row in reversed(rows) if endpoint(row["method"], row["path"]) == name)
    newest = next((row for row in own if _has_failed(row)), None)
    if newest is None:
        return None
    kept = RecordedExchange.objects.filter(pk=newest["pk"]).first()
    if kept is None:  # trimmed since
        return None
    question = Question(
        request=HttpRequest(method=kept.method, path=kept.path),
        slow_ms=service.slow_ms,
        health=False,
    )
    answer = Answer(
        status=kept.status,
        headers={"content-type": kept.answer_type},
        body=bytes(kept.answer),
        elapsed_ms=kept.elapsed_ms,
        failure=kept.failure,
    )
    return replace(judge(answer, question), watch=TRAFFIC)
