"""The kill switch."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from incidents.pipeline import kill_switch
from incidents.views.person import person_of
from teams.access import needs
from teams.roles import Verb


@require_POST
@needs(Verb.PAUSE_AGENT)
def switch(request: HttpRequest, action: str) -> HttpResponse:
    """Pause or resume the agent everywhere, and go back to where the switch stood."""
    person = person_of(request)
    if action == "pause":
        kill_switch.pause_agent(person=person, reason=request.POST.get("reason", "").strip()[:200])
        messages.warning(request, "The agent is paused: nothing is changed any more.")
    elif action == "resume":
        kill_switch.resume_agent(person=person)
        messages.success(request, "The agent works again.")
    else:
        raise Http404
    wanted = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()})
    return redirect(wanted if safe and wanted.startswith("/") else "/")
