"""The part of a service's page that says how its runtime's vendor does: calls, errors, and the share of its sandbox."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from agentops_site import vendors
from agentops_site.models import VendorHour
from agentops_site.vendors import Requests
from monitoring.models import Service
from teams.access import needs
from teams.roles import Verb


@never_cache
@require_safe
@needs(Verb.VIEW)
def calls(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the figures of Blaxel for a service that lives there; nothing for any other."""
    service = get_object_or_404(Service, slug=slug)
    if service.runtime != Service.Runtime.BLAXEL:
        return HttpResponse()
    return render(request, "site/vendor_calls.html", {"pairs": _figures(service)})


def _figures(service: Service) -> list[tuple[str, str]]:
    (blaxel,) = (one for one in vendors.overview(now=timezone.now()) if one.key == "blaxel")
    share = blaxel.errors_today / blaxel.calls_today if blaxel.calls_today else 0.0
    latency = "-" if blaxel.latency_ms is None else f"{blaxel.latency_ms:.0f} ms"
    return [
        ("Sandbox", settings.BLAXEL_SANDBOX),
        ("Trials in", settings.BLAXEL_TRIAL_SANDBOX),
        ("API calls in the last day", f"{blaxel.calls_today}"),
        ("Errors of calls", f"{blaxel.errors_today} ({share:.1%})"),
        (
            "Requests into the sandboxes' apps",
            str(blaxel.small.get(VendorHour.Kind.INTO_APP, Requests())),
        ),
        ("Looks at processes", str(blaxel.small.get(VendorHour.Kind.LOOK, Requests()))),
        ("Mean time of a call", latency),
        ("State", blaxel.words),
        ("Memory", _memory(service)),
    ]


def _memory(service: Service) -> str:
    runtime: Any = settings.MONITORING_RUNTIMES["blaxel"]
    adapter = import_string(runtime)() if isinstance(runtime, str) else runtime
    found = adapter.share(service.spec()) if settings.BL_API_KEY else None
    if found is None:
        return "not known"
    used, size = found
    return f"{used / 1e6:.0f} MB, {used / size:.1%} of the sandbox's {size / 1e6:.0f} MB"
