"""The form in which a person puts up a fix of their own, on the incident's page or on a page by itself."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from incidents.models import LostLease
from incidents.pipeline import people
from incidents.pipeline.gates import Conflict
from incidents.queries import own_fix
from incidents.queries.page import Loaded
from incidents.states import WAITING, IllegalTransition
from incidents.values import BadActions
from incidents.views.own_fix_forms import OwnFixForm
from incidents.views.pages import context_of, loaded_or_404
from incidents.views.person import person_of
from teams.access import needs, require
from teams.roles import Verb

DONE = "Your fix is up: it is tried and reviewed now"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Verb.VIEW)
def propose(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form, add a row to it, or put up what it says; what was typed stays when it is refused."""
    loaded = loaded_or_404(pk)
    incident = loaded.incident
    require(request.user, Verb.PROPOSE, severity=incident.severity, service=incident.service.slug)
    material = own_fix.material(loaded)
    if request.method != "POST":
        return _shown(request, loaded, OwnFixForm(None, material=material))
    if "more" in request.POST:
        return _shown(request, loaded, OwnFixForm(None, material=material, said=request.POST))
    form = OwnFixForm(request.POST, material=material)
    if form.is_valid() and _put_up(request, pk, form):
        return _done(request, pk)
    return _shown(request, loaded, form, status=422)


def _put_up(request: HttpRequest, pk: int, form: OwnFixForm) -> bool:
    """Hand the actions to the pipeline; a refusal goes to its field."""
    try:
        people.propose(
            incident_id=pk,
            person=person_of(request),
            actions=form.actions(),
            reason=form.cleaned_data["reason"],
        )
    except BadActions as refused:
        form.blame(refused)
    except (Conflict, IllegalTransition, LostLease) as refused:
        form.add_error(None, str(refused))
    return not (form.errors or any(form.edits.errors))


def _shown(
    request: HttpRequest, loaded: Loaded, form: OwnFixForm, *, status: int = 200
) -> HttpResponse:
    incident = loaded.incident
    fits = incident.status in WAITING and loaded.diagnosis is not None
    context: dict[str, Any] = {"form": form, "fits": fits, "incident": incident}
    context |= {"holds": incident.taken_over_by_id == person_of(request).pk}
    part = request.headers.get("HX-Request") == "true"
    if not part:
        context |= context_of(request, loaded)
    template = f"incidents/{'parts/own_fix' if part else 'own_fix'}.html"
    return render(request, template, context, status=status)


def _done(request: HttpRequest, pk: int) -> HttpResponse:
    if request.headers.get("HX-Request") != "true":
        messages.success(request, DONE)
        return redirect("incidents:incident", pk=pk)
    context = context_of(request, loaded_or_404(pk))
    response = render(request, "incidents/parts/own_fix_done.html", context)
    response.headers["HX-Trigger"] = json.dumps({"toast": {"text": DONE, "tone": "ok"}})
    return response
