"""The conversation with a model behind a diagnosis, shown on request."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from incidents.models import Incident
from incidents.queries.conversations import conversations
from teams.access import needs
from teams.roles import Verb


@never_cache
@require_GET
@needs(Verb.VIEW)
def conversation(request: HttpRequest, pk: int) -> HttpResponse:
    """Serve every exchange of an incident's conversations as a part of its page."""
    incident = get_object_or_404(Incident, pk=pk)
    context = {"conversations": conversations(incident.pk)}
    return render(request, "incidents/parts/conversation.html", context)
