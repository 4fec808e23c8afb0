"""Pages of the services: look up, check who asks, one call, one template."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from monitoring import operations, pages, queries
from monitoring.faults import injection
from monitoring.faults.catalogue import all_faults
from monitoring.models import Service
from monitoring.ports import TargetError
from teams.access import allowed_verbs, needs, require
from teams.higher import served
from teams.models import User
from teams.roles import Verb

# A higher app serves what it knows of a service; this one only leaves room.
INCIDENTS_OF = "/incidents/fragments/of-service/{slug}/"


@never_cache
@require_safe
@needs(Verb.VIEW)
def services(request: HttpRequest) -> HttpResponse:
    """Show every service: the whole page, or for HTMX the table alone."""
    before = request.GET.get("before", "")
    wanted = int(before) if before.isascii() and before.isdigit() and len(before) < 18 else None
    context = pages.listing(before=wanted, now=timezone.now()) | {
        "refetch_url": request.get_full_path(),
        "may_configure": _may_configure(request, allowed_verbs(request.user)),
    }
    part = _is_refetch(request, "services")
    return render(request, f"monitoring/{'parts/rows' if part else 'list'}.html", context)


@never_cache
@require_safe
@needs(Verb.VIEW)
def service(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one service: the whole page, or for HTMX the part that changes by itself."""
    found = _found(slug)
    context = pages.one(found, now=timezone.now()) | _rights(request, found)
    context |= {
        "refetch_url": request.path,
        "incidents_url": served(INCIDENTS_OF.format(slug=slug)),
    }
    part = _is_refetch(request, "service-live")
    return render(request, f"monitoring/{'parts/live' if part else 'service'}.html", context)


@require_POST
@needs(Verb.VIEW)
def probe(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask the service now, with its smoke requests and invariants."""
    found = _found(slug)
    if not _may_probe(allowed_verbs(request.user, service=slug)):
        require(request.user, Verb.SEND_READ, service=slug)
    operations.request_probe(found.pk, now=timezone.now(), deep=True)
    messages.success(request, f"{found.name} is asked now.")
    return redirect("monitoring:service", slug=slug)


@never_cache
@require_safe
@needs(Verb.VIEW)
def faults(request: HttpRequest, slug: str) -> HttpResponse:
    """Show every fault with what it does, how it shows, how bad it is and the way back."""
    found = _found(slug)
    if not found.is_demo:
        raise Http404("Only demo services are broken on purpose.")
    context = {"service": found, "kinds": pages.fault_cards()} | _rights(request, found)
    return render(request, "monitoring/faults.html", context)


@require_POST
@needs(Verb.VIEW)
def inject(request: HttpRequest, slug: str) -> HttpResponse:
    """Break a demo service on purpose."""
    found = _found(slug)
    require(request.user, Verb.INJECT_FAULT, service=slug)
    fault, person = request.POST.get("fault", "")[:40], cast(User, request.user)
    try:
        injection.inject(service=found, fault=fault, actor=person, now=timezone.now())
    except (injection.UnknownFault, injection.FaultRefused, TargetError) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"{fault} is in. Watch how it is found.")
    return redirect("monitoring:service", slug=slug)


@require_POST
@needs(Verb.VIEW)
def restore(request: HttpRequest, slug: str) -> HttpResponse:
    """Take every fault out of a demo service."""
    found = _found(slug)
    require(request.user, Verb.RESTORE, service=slug)
    try:
        count = injection.restore(service=found, actor=cast(User, request.user), now=timezone.now())
    except (injection.FaultRefused, TargetError) as error:
        messages.error(request, str(error))
    else:
        taken = "1 fault is" if count == 1 else f"{count} faults are"
        messages.success(request, f"{taken} taken out, and {found.name} is started again.")
    return redirect("monitoring:service", slug=slug)


def _found(slug: str) -> Service:
    found = queries.listed().filter(slug=slug).first()
    if found is None:
        raise Http404("There is no such service.")
    return found


def _may_configure(request: HttpRequest, verbs: set[str]) -> bool:
    """Say whether the console, where services are set up, opens for a person: a button that ends at its door helps nobody."""
    return Verb.CONFIGURE in verbs and cast(User, request.user).is_staff


def _may_probe(verbs: set[str]) -> bool:
    """Say whether a person may have a service asked: those who may send it requests, and those who set it up."""
    return bool(verbs & {Verb.SEND_READ, Verb.CONFIGURE})


def _rights(request: HttpRequest, found: Service) -> dict[str, Any]:
    verbs = allowed_verbs(request.user, service=found.slug)
    return {
        "faults": all_faults() if found.is_demo else (),
        "may_inject": found.is_demo and Verb.INJECT_FAULT in verbs,
        "may_restore": found.is_demo and Verb.RESTORE in verbs,
        "may_configure": _may_configure(request, verbs),
        "may_probe": _may_probe(verbs),
    }


def _is_refetch(request: HttpRequest, target: str) -> bool:
    headers = request.headers
    return headers.get("HX-Request") == "true" and headers.get("HX-Target") == target
