"""Who is on call, set from the team page by those who configure."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from incidents.models import OnCall
from incidents.pipeline import on_call
from incidents.queries import team
from incidents.states import BadInput
from incidents.views.person import person_of
from monitoring.models import Service
from teams.access import needs
from teams.models import User
from teams.roles import Verb

DEEDS = {
    "first": (on_call.be_first, "is on call now"),
    "out": (on_call.leave, "is out of the order"),
}
LONGEST_NUMBER = 18
"""Digits of an id that every database takes."""


@require_POST
@needs(Verb.CONFIGURE)
def join(request: HttpRequest) -> HttpResponse:
    """Put a person (`person`: an id) into the order of a service (`service`: a slug, or "" for every other one)."""
    given, slug = request.POST.get("person", ""), request.POST.get("service", "")
    known = given.isascii() and given.isdigit() and len(given) < LONGEST_NUMBER
    person = User.objects.filter(pk=int(given)).first() if known else None
    service = Service.objects.filter(slug=slug.replace("\0", "")).first() if slug else None

    def act() -> None:
        if person is None or (slug and service is None):
            raise BadInput("Choose a person and a service of the lists.")
        on_call.join(actor=person_of(request), person=person, service=service, today=_today())

    return _done(request, act, f"{person.name if person else ''} is in the order.")


@require_POST
@needs(Verb.CONFIGURE)
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Let one place be first this week (`to=first`), or take it out of its order (`to=out`)."""
    place = get_object_or_404(OnCall.objects.select_related("person", "service"), pk=pk)
    wanted = request.POST.get("to", "")

    def act() -> None:
        if wanted not in DEEDS:
            raise BadInput("Choose: first this week, or out of the order.")
        DEEDS[wanted][0](actor=person_of(request), place=place, today=_today())

    words = DEEDS[wanted][1] if wanted in DEEDS else ""
    return _done(request, act, f"{place.person.name} {words}.")


def _today() -> date:
    return timezone.now().date()


def _done(request: HttpRequest, act: Callable[[], None], words: str) -> HttpResponse:
    """Act, and show the orders anew with what was done; without HTMX on the whole page."""
    tone = "ok"
    try:
        act()
    except BadInput as refused:
        words, tone = str(refused), "error"
    if request.headers.get("HX-Request") != "true":
        messages.add_message(
            request, messages.ERROR if tone == "error" else messages.SUCCESS, words
        )
        return redirect("teams:team")
    context = team.duty(person_of(request)) | {
        "changed": "to" in request.POST,
        "chosen": request.POST.get("service", ""),
    }
    response = render(request, "incidents/parts/team_duty.html", context)
    response["HX-Trigger"] = json.dumps({"toast": {"text": words, "tone": tone}})
    return response
