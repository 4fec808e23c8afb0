"""Reads for pages and the API: services as plain values, at a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery, Sum

from monitoring.models import FaultInjection, HealthChange, ProbeMinute, Service, Snapshot
from monitoring.outcomes import verdict_from_json
from monitoring.values import Health, Symptom

PAGE = 50
CHART_MINUTES = 60
SPARK_MINUTES = 20
UPTIME_WINDOW = timedelta(hours=24)
SYMPTOM_WORDS = {
    Symptom.NONE: "",
    Symptom.NO_PROCESS: "no process",
    Symptom.STOPPED: "stopped as planned",
    Symptom.REFUSED: "connection refused",
    Symptom.TIMEOUT: "no answer in time",
    Symptom.HTTP_ERROR: "error answer",
    Symptom.BAD_CONFIG: "unusable configuration",
    Symptom.WRONG_BODY: "unusable answer",
    Symptom.SLOW: "slow",
    Symptom.SUBSYSTEM: "a subsystem warns",
    Symptom.SUBSYSTEM_DOWN: "a subsystem is down",
    Symptom.WRONG_ANSWER: "wrong answer",
    Symptom.RESOURCES: "a leak or a flood",
}


def listed(*, before: int | None = None) -> QuerySet[Service]:
    """Return services with health and the newest snapshot's digest and time, newest first."""
    newest = Snapshot.objects.filter(service=OuterRef("pk")).order_by("-id")
    found = Service.objects.select_related("health").annotate(
        good_digest=Subquery(newest.values("digest")[:1]),
        good_at=Subquery(newest.values("created_at")[:1]),
        good_reason=Subquery(newest.values("reason")[:1]),
    )
    found = found.order_by("-id")
    return found.filter(pk__lt=before) if before else found


def brief(service: Service) -> dict[str, Any]:
    """Return a row of the API's list."""
    health = getattr(service, "health", None)
    return {
        "id": service.pk,
        "slug": service.slug,
        "name": service.name,
        "health": health.state if health else Health.UNKNOWN.value,
        "since": health.since if health else None,
        "latency_ms": health.latency_ms if health else None,
        "last_probe_at": health.last_probe_at if health else None,
        "address": service.spec().base_url,
        "enabled": service.enabled,
        "is_demo": service.is_demo,
    }


def whole(service: Service) -> dict[str, Any]:
    """Return everything that the API says of one service (from `listed`, for its annotations)."""
    health = getattr(service, "health", None)
    verdict = verdict_from_json(health.verdict) if health else None
    digest = getattr(service, "good_digest", None)
    good = {"digest": digest, "at": service.good_at, "reason": service.good_reason} if digest else None  # type: ignore[attr-defined]  # fmt: skip
    return brief(service) | {
        "symptom": verdict.symptom.value if verdict else "",
        "detail": verdict.detail if verdict else "",
        "runtime": service.runtime,
        "directory": service.directory,
        "command": service.command,
        "host": service.host,
        "port": service.port,
        "health_path": service.health_path,
        "editable_globs": service.editable_globs,
        "data_globs": service.data_globs,
        "environment_names": sorted(service.environment),
        "smoke_requests": service.smoke_requests,
        "invariants": service.invariants,
        "repository_url": service.repository_url,
        "repository_branch": service.repository_branch,
        "last_known_good": good,
        "policy": policy(service),
        "probing": probing(service),
        "fault": current_fault(service),
    }


def policy(service: Service) -> dict[str, Any]:
    """Return what the agent may do by itself here."""
    names = (
        "autonomy", "auto_ceiling", "auto_threshold", "escalation_threshold", "limit_per_fingerprint",
        "limit_per_service", "watch_seconds", "paused", "maintenance_until", "stop_with_agentops",
    )  # fmt: skip
    return {name: getattr(service, name) for name in names}


def probing(service: Service) -> dict[str, Any]:
    """Return how the service is asked and when its state changes."""
    names = (
        "interval", "timeout", "slow_ms", "deep_every", "failures_before_incident",
        "successes_before_recovery", "healthy_before_snapshot",
    )  # fmt: skip
    return {name: getattr(service, name) for name in names}


def current_fault(service: Service) -> str | None:
    """Return the fault that a person put in and nobody restored yet."""
    open_ones = FaultInjection.objects.filter(service=service, restored_at=None).order_by("-id")
    return open_ones.values_list("fault", flat=True).first()


def uptime(service_ids: Sequence[int], *, now: datetime) -> dict[int, float]:
    """Return each service's share of probes that did not fail in the last 24 hours, in percent; one query."""
    since = now - UPTIME_WINDOW
    sums = (
        ProbeMinute.objects.filter(service_id__in=service_ids, minute__gte=since)
        .values("service_id")
        .annotate(all=Sum("count"), failed=Sum("failures"))
        .order_by()
    )
    return {row["service_id"]: 100 * (1 - row["failed"] / row["all"]) for row in sums if row["all"]}


def minutes(service: Service, *, now: datetime) -> list[ProbeMinute]:
    """Return the minutes of the latency chart, oldest first."""
    since = now - timedelta(minutes=CHART_MINUTES)
    found = ProbeMinute.objects.filter(service=service, minute__gte=since).defer("samples")
    return list(found.order_by("minute"))


def recent_latencies(service_ids: Sequence[int], *, now: datetime) -> dict[int, list[float]]:
    """Return the latencies in ms of each service's last minutes, for a sparkline; one query."""
    since = now - timedelta(minutes=SPARK_MINUTES)
    found: dict[int, list[float]] = {}
    rows = ProbeMinute.objects.filter(service_id__in=service_ids, minute__gte=since)
    for service_id, p50 in rows.order_by("minute").values_list("service_id", "p50_ms"):
        found.setdefault(service_id, []).append(p50)
    return found


def recent_changes(service: Service, limit: int = 10) -> list[dict[str, Any]]:
    """Return the latest changes of state in words, newest first."""
    found = HealthChange.objects.filter(service=service).order_by("-id")[:limit]
    return [
        {
            "at": change.at,
            "before": change.before,
            "after": change.after,
            "why": _why(change),
            "source": change.source,
        }
        for change in found
    ]


def _why(change: HealthChange) -> str:
    said = SYMPTOM_WORDS.get(Symptom(change.symptom), change.symptom)
    detail = change.verdict.get("detail", "")[:200]
    return f"{said}: {detail}" if said and detail else said or detail
