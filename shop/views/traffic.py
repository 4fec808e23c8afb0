"""Simulated traffic in the live viewer: what goes on, start, stop."""

from __future__ import annotations

import math
from typing import Any

from celery import current_app
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from monitoring.models import Service
from shop.models import TrafficRun, TrafficSecond
from shop.traffic import chart
from shop.traffic import run as traffic
from teams import access, audit
from teams.access import needs
from teams.models import User
from teams.roles import Verb

DRIVE = "shop.tasks.drive_traffic"
AWAY = "No worker can be told: the broker is away. Nothing was started."


@never_cache
@require_safe
@needs(Verb.VIEW)
def show(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the run that goes on, or the last one."""
    return _part(request, get_object_or_404(Service, slug=slug))


@require_POST
@needs(Verb.VIEW)
def start(request: HttpRequest, slug: str) -> HttpResponse:
    """Start a run, or join the one that goes on."""
    service = get_object_or_404(Service, slug=slug)
    access.require(request.user, Verb.SIMULATE_TRAFFIC, service=slug)
    try:
        run, is_new = traffic.start(
            service,
            rate=_number(request.POST.get("rate", "")),
            shares=request.POST.get("mix", ""),
            seconds=int(_number(request.POST.get("seconds", ""))),
            by=request.user.email if isinstance(request.user, User) else "",
        )
    except traffic.CannotStart as refused:
        return _part(request, service, problem=str(refused), status=422)
    if not is_new:
        return _part(request, service, problem="Traffic runs already; this is it.")
    if not _told(run):
        traffic.stop(service)
        return _part(request, service, problem=AWAY, status=422)
    _audit(request, service, {"rate": run.rate, "mix": run.mix, "until": str(run.ends_at)})
    return _part(request, service)


@require_POST
@needs(Verb.VIEW)
def stop(request: HttpRequest, slug: str) -> HttpResponse:
    """End the run that goes on."""
    service = get_object_or_404(Service, slug=slug)
    access.require(request.user, Verb.SIMULATE_TRAFFIC, service=slug)
    if traffic.stop(service):
        _audit(request, service, {"stopped": True})
    return _part(request, service)


def _told(run: TrafficRun) -> bool:
    try:
        current_app.send_task(DRIVE, [run.pk], queue="probes", retry=False, expires=10)
    except OperationalError:
        return False
    return True


def _audit(request: HttpRequest, service: Service, after: dict[str, Any]) -> None:
    assert isinstance(request.user, User)  # noqa: S101 - `needs` let a person in; narrows for mypy
    with transaction.atomic():
        audit.record(
            actor=request.user,
            verb=Verb.SIMULATE_TRAFFIC,
            target=service,
            after=after,
            origin=audit.origin_of(request),
        )


def _part(
    request: HttpRequest, service: Service, *, problem: str = "", status: int = 200
) -> HttpResponse:
    run = TrafficRun.objects.filter(service=service).first()
    seconds = (
        list(TrafficSecond.objects.filter(run=run).order_by("-id")[: chart.SECONDS]) if run else []
    )
    drawn = [
        chart.Second(count=one.count, errors=one.errors, p50_ms=one.p50_ms, p95_ms=one.p95_ms)
        for one in reversed(seconds)
    ]
    alive = run is not None and run.is_running
    alive = alive and run is not None and run.beat_at > timezone.now() - traffic.DEAD_AFTER
    context = {
        "service": service,
        "run": run,
        "running": alive,
        "chart": chart.draw(drawn) if drawn else None,
        "figures": _figures(drawn),
        "problem": problem,
        "may": access.may(request.user, Verb.SIMULATE_TRAFFIC, service=service.slug).allowed,
        "most_rate": traffic.MOST_RATE,
        "most_seconds": traffic.MOST_SECONDS,
    }
    return render(request, "shop/traffic.html", context, status=status)


def _figures(seconds: list[chart.Second]) -> list[tuple[str, str]]:
    count, errors = sum(one.count for one in seconds), sum(one.errors for one in seconds)
    last = seconds[-1] if seconds else None
    share = f"{errors / count * 100:.1f} %" if count else "-"
    return [
        ("Answered", str(count)),
        ("Errors", f"{errors} ({share})" if count else "-"),
        ("Rate now", f"{last.count} a second" if last else "-"),
        ("Median now", f"{last.p50_ms:.1f} ms" if last else "-"),
        ("95th percentile now", f"{last.p95_ms:.1f} ms" if last else "-"),
    ]


def _number(text: str) -> float:
    """Return a typed number; what is none, or not finite, is 0, which every limit refuses."""
    try:
        number = float(text[:20])
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0
