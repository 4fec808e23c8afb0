"""Parts of pages, served alone: the header's live regions and what other apps' pages include."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from incidents.queries import listing, shell, team, work
from incidents.views.person import person_of
from teams.access import needs
from teams.roles import Verb

ROWS_OF_SERVICE = 10


@never_cache
@require_GET
@needs(Verb.VIEW)
def header_health(request: HttpRequest) -> HttpResponse:
    """Serve the services' health of the header."""
    context = {"services": shell.header_services(), "refetch_url": request.path}
    return render(request, "components/header_health.html", context)


@never_cache
@require_GET
@needs(Verb.VIEW)
def header_agent(request: HttpRequest) -> HttpResponse:
    """Serve the agent's state of the header."""
    context = {"agent": shell.agent(), "refetch_url": request.path}
    return render(request, "components/agent_state.html", context)


@never_cache
@require_GET
@needs(Verb.VIEW)
def header_bell(request: HttpRequest) -> HttpResponse:
    """Serve the bell with the person's own count."""
    context = {"unread": shell.unread(request.user.pk or 0), "refetch_url": request.path}
    return render(request, "components/bell.html", context)


@never_cache
@require_GET
@needs(Verb.VIEW)
def of_service(request: HttpRequest, slug: str) -> HttpResponse:
    """Serve the last incidents of one service for its page, or with `?open=1` only those that are not over."""
    only_open = request.GET.get("open") == "1"
    wanted = listing.Wanted(service=slug, group="open" if only_open else "")
    found = listing.page(wanted)
    context = {"rows": found["rows"][:ROWS_OF_SERVICE], "all_url": f"/{wanted.query(group='all')}"}
    context |= {"only_open": only_open}
    return render(request, "incidents/parts/of_service.html", context)


@never_cache
@require_GET
@needs(Verb.VIEW)
def team_work(request: HttpRequest) -> HttpResponse:
    """Serve who has which open incident, for the team page."""
    context = {
        "people": work.by_person(),
        "decisions": team.recent_decisions(),
    } | team.duty(person_of(request))
    return render(request, "incidents/parts/team_work.html", context)
