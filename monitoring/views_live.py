"""Pages of the live API viewer."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from monitoring import by_hand, live, queries, watching
from monitoring.models import Service
from teams import audit
from teams.access import AccessRefused, allowed_verbs, needs
from teams.higher import served
from teams.models import User
from teams.roles import Verb

# Higher apps serve these; this one only leaves room.
INCIDENTS_OF = "/incidents/fragments/of-service/{slug}/"
TRAFFIC_OF = "/live/traffic/{slug}/"
WATCHED = "orders"


@never_cache
@require_safe
@needs(Verb.VIEW)
def page(request: HttpRequest) -> HttpResponse:
    """Show the viewer of one service (`?service=`), the first one by default."""
    watching.note(WATCHED)
    services = list(Service.objects.select_related("health").order_by("-is_demo", "name"))
    if not services:
        return render(request, "monitoring/live/none.html", {})
    service = _chosen(request, services)
    verbs = allowed_verbs(request.user, service=service.slug)
    context = _panels(service) | {
        "services": services,
        # Open ones only: what is over would push the answers of now off the screen.
        "incidents_url": served(INCIDENTS_OF.format(slug=service.slug)),
        "traffic_url": served(TRAFFIC_OF.format(slug=service.slug)),
        "may_read": Verb.SEND_READ in verbs,
        "may_write": Verb.SEND_WRITE in verbs,
        "methods": [m for m in by_hand.METHODS if by_hand.verb_for(m).value in verbs],
    }
    return render(request, "monitoring/live/page.html", context)


@never_cache
@require_safe
@needs(Verb.VIEW)
def panels(request: HttpRequest) -> HttpResponse:
    """Show only the answers of now; `?after=` names the monotonic second of the change that a nudge told of."""
    watching.note(WATCHED)
    services = list(Service.objects.select_related("health").order_by("-is_demo", "name"))
    if not services:
        raise Http404
    panels = _panels(_chosen(request, services), after=_seconds(request.GET.get("after", "")))
    return render(request, "monitoring/live/panels.html", panels)


@require_POST
@needs(Verb.VIEW)
def send(request: HttpRequest, slug: str) -> HttpResponse:
    """Send a request by hand and show what came back."""
    service = Service.objects.filter(slug=slug).first()
    if service is None or not isinstance(request.user, User):
        raise Http404
    typed = {name: request.POST.get(name, "") for name in ("method", "path", "body")}
    try:
        wanted = by_hand.request_from(**typed)
        answer = by_hand.send(service, wanted, request.user, origin=audit.origin_of(request))
    except (by_hand.BadRequest, AccessRefused) as refused:
        status = 403 if isinstance(refused, AccessRefused) else 422
        text = f"{str(refused)[:1].upper()}{str(refused)[1:]}"
        return render(request, "monitoring/live/refused.html", {"text": text}, status=status)
    return render(request, "monitoring/live/sent.html", {"panel": answer})


def _chosen(request: HttpRequest, services: list[Service]) -> Service:
    slug = request.GET.get("service", "")
    found = next((one for one in services if one.slug == slug), None)
    if slug and found is None:
        raise Http404
    return found or services[0]


def _panels(service: Service, *, after: float = 0.0) -> dict[str, Any]:
    health = getattr(service, "health", None)
    looked = live.look(service, after=after)
    return {
        "service": service,
        "health": health.state if health else "unknown",
        "since": health.since if health else None,
        "panels": looked.panels,
        "process": looked.process,
        "took_ms": looked.took_ms,
        "fault": queries.current_fault(service),
    }


def _seconds(text: str) -> float:
    """Return a moment of our own clock; nonsense counts as long ago."""
    whole, _, part = text.partition(".")
    sound = len(text) < 20 and whole.isdecimal() and (part or "0").isdecimal()
    return float(text) if sound and text.isascii() else 0.0
