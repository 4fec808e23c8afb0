"""The list of incidents and the page of one."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from incidents.models import Incident
from incidents.queries import incidents as reads
from teams.access import needs
from teams.roles import Verb


@require_GET
@needs(Verb.VIEW)
def incident_list(request: HttpRequest) -> HttpResponse:
    """Show the incidents."""
    return render(request, "incidents/list.html", {"incidents": reads.filtered()[:50]})


@require_GET
@needs(Verb.VIEW)
def incident(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one incident."""
    row = get_object_or_404(Incident.objects.select_related("service"), pk=pk)
    return render(request, "incidents/incident.html", {"incident": row})
