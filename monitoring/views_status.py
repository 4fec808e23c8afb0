"""The public status page."""

from __future__ import annotations

from typing import Any

from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from monitoring import status
from teams.higher import served

INCIDENTS = "/incidents/fragments/public/"  # a higher app serves it; this one only leaves room
KEPT_SECONDS = 3


@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the state of every service; for HTMX the part that changes alone."""
    # Anybody may ask, as often as they like: the work is done once in `KEPT_SECONDS`.
    context: dict[str, Any] = dict(
        cache.get_or_set("status", lambda: status.overview(now=timezone.now()), KEPT_SECONDS) or {}
    )
    context["incidents_url"] = served(INCIDENTS)
    part = request.headers.get("HX-Target") == "status"
    return render(request, f"monitoring/status/{'services' if part else 'page'}.html", context)
