"""What the pages of the services show, prepared as plain values: templates only place them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from monitoring import charts, queries
from monitoring.faults.catalogue import all_faults
from monitoring.models import Service, ServiceHealth
from monitoring.outcomes import verdict_from_json
from monitoring.values import Health

AUTONOMY_WORDS = {
    "observe": "The agent looks and explains, and changes nothing.",
    "ask": "A person approves every fix.",
    "auto": "The agent fixes alone up to severity {ceiling}, when its score is at least {threshold}.",
}


def fault_cards() -> list[dict[str, Any]]:
    """Return every fault of the catalogue, with the way back in words: that is always the same deed."""
    return [
        {
            "name": fault.name,
            "title": fault.title,
            "what": fault.what,
            "symptom": fault.symptom,
            "severity": fault.severity,
            "way_back": _way_back(fault.paths),
        }
        for fault in all_faults()
    ]


def _way_back(paths: Sequence[str]) -> str:
    if not paths:
        return "The process is started again."
    verb = "is" if len(paths) == 1 else "are"
    return f"{' and '.join(paths)} {verb} put back and the process started again."


def listing(*, before: int | None, now: datetime) -> dict[str, Any]:
    """Return a page of services with health, latency and uptime; four queries however many there are."""
    found = list(queries.listed(before=before)[: queries.PAGE + 1])
    shown = found[: queries.PAGE]
    ids = [service.pk for service in shown]
    uptimes, sparks = queries.uptime(ids, now=now), queries.recent_latencies(ids, now=now)
    return {
        "rows": [_row(service, uptimes, sparks) for service in shown],
        "next": shown[-1].pk if len(found) > queries.PAGE else None,
    }


def one(service: Service, *, now: datetime) -> dict[str, Any]:
    """Return the page of one service (from `queries.listed`)."""
    health = getattr(service, "health", None)
    verdict = verdict_from_json(health.verdict) if health else None
    share = queries.uptime([service.pk], now=now).get(service.pk)
    return {
        "service": service,
        "health": health.state if health else Health.UNKNOWN.value,
        "since": health.since if health else None,
        "last_probe_at": health.last_probe_at if health else None,
        "latency": _latency(health),
        "uptime": percent(share),
        "symptom": queries.SYMPTOM_WORDS.get(verdict.symptom, "") if verdict else "",
        "detail": verdict.detail if verdict else "",
        "good": _good(service),
        "chart": _chart(service, now),
        "changes": queries.recent_changes(service),
        "policy": policy_words(service, now=now),
        "facts": _facts(service),
        "fault": queries.current_fault(service),
    }


def policy_words(service: Service, *, now: datetime) -> list[str]:
    """Return in sentences what the agent may do here."""
    words = [
        AUTONOMY_WORDS[service.autonomy].format(
            ceiling=service.auto_ceiling, threshold=service.auto_threshold
        ),
        f"Below a score of {service.escalation_threshold} an expert is asked.",
        f"At most {service.limit_per_fingerprint} automatic fixes an hour for one cause and "
        f"{service.limit_per_service} for the service.",
        f"After a deploy it is watched for {service.watch_seconds:g} s, and undone on a relapse.",
    ]
    if not service.enabled:
        words.insert(0, "It is switched off: nobody asks how it is.")
    if service.paused:
        words.insert(0, "The agent is paused here.")
    if service.maintenance_until and service.maintenance_until > now:
        words.insert(0, f"In maintenance until {service.maintenance_until:%d %b %H:%M} UTC.")
    return words


def _latency(health: ServiceHealth | None) -> str:
    """Return how fast it answers; nothing while it is down: how fast a refusal came says nothing of the service."""
    if health is None or health.state == Health.DOWN:
        return ""
    return milliseconds(health.latency_ms)


def milliseconds(value: float | None) -> str:
    """Return a latency in words; empty when there is none."""
    if value is None:
        return ""
    return f"{value:.1f} ms" if value < 10 else f"{value:.0f} ms"


def percent(share: float | None) -> str:
    """Return an uptime in words, never rounded up to 100 %."""
    if share is None:
        return "not known yet"
    return "100 %" if share == 100 else f"{min(share, 99.99):.2f} %"


def _row(
    service: Service, uptimes: dict[int, float], sparks: dict[int, list[float]]
) -> dict[str, Any]:
    health = getattr(service, "health", None)
    return {
        "name": service.name,
        "slug": service.slug,
        "health": health.state if health else Health.UNKNOWN.value,
        "since": health.since if health else None,
        "latency": _latency(health),
        "points": charts.sparkline(sparks.get(service.pk, [])),
        "uptime": percent(uptimes.get(service.pk)),
        "autonomy": "paused" if service.paused else service.autonomy,
        "enabled": service.enabled,
        "good_at": getattr(service, "good_at", None),
    }


def _good(service: Service) -> dict[str, Any] | None:
    digest = getattr(service, "good_digest", None)
    if not digest:
        return None
    reason, at = getattr(service, "good_reason", ""), getattr(service, "good_at", None)
    return {"digest": digest[:12], "at": at, "reason": reason}


def _chart(service: Service, now: datetime) -> dict[str, Any] | None:
    rows = queries.minutes(service, now=now)
    if not rows:
        return None
    minutes = [
        charts.Minute(
            at=row.minute,
            count=row.count,
            failures=row.failures,
            p50_ms=row.p50_ms,
            p95_ms=row.p95_ms,
        )
        for row in rows
    ]
    start = now - timedelta(minutes=queries.CHART_MINUTES)
    drawn = charts.latency(minutes, start=start, end=now)
    return drawn | {"minutes": list(reversed(minutes))[:15]}


def _facts(service: Service) -> list[tuple[str, str]]:
    command = " ".join(service.command) if isinstance(service.command, list) else ""
    facts = [
        ("Address", f"{service.spec().base_url}{service.health_path}"),
        ("Runtime", service.get_runtime_display()),
        ("Directory", service.directory),
        ("Start command", command),
        ("Files a fix may change", ", ".join(map(str, service.editable_globs)) or "none"),
        ("Asked", f"every {service.interval:g} s, for at most {service.timeout:g} s"),
        ("Slow from", f"{service.slow_ms:g} ms"),
    ]
    if service.repository_url:
        facts.append(("Repository", f"{service.repository_url} ({service.repository_branch})"))
    return facts
