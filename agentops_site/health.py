"""`/healthz` for whoever runs AgentOps and `/metrics` for Prometheus."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agentops_site import broker, metrics
from teams.tokens import BearerAuth

LOOPBACK = {"127.0.0.1", "::1"}
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED")


@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Say whether database, broker and a worker of every queue answer: 200, else 503 with what is missing."""
    asked = broker.state()
    parts = {"database": _database_answers(), "broker": asked.answers}
    parts |= {f"worker_{queue}": alive for queue, alive in asked.alive.items()}
    missing = sorted(name for name, well in parts.items() if not well)
    body = {"ok": not missing, "missing": missing, "parts": parts}
    return JsonResponse(body, status=503 if missing else 200)


@never_cache
@require_safe
def metrics_page(request: HttpRequest) -> HttpResponse:
    """Answer in Prometheus' text format, to signed-in people, bearer tokens and this very machine."""
    if not (request.user.is_authenticated or _is_local(request) or BearerAuth()(request)):
        return HttpResponse("Sign in or send a bearer token.\n", status=401)
    return HttpResponse(metrics.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone() is not None
    except DatabaseError:
        return False


def _is_local(request: HttpRequest) -> bool:
    """Tell whether the caller sits on this machine: behind a proxy everybody seems to, so a forwarded call is not."""
    forwarded = any(name in request.META for name in FORWARDED)
    return not forwarded and request.META.get("REMOTE_ADDR") in LOOPBACK
