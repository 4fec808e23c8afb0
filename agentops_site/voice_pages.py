"""Spoken alerts for signed-in people: the newest one, the page with all of them, the audio, and one's own wishes."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agentops_site import hearing, speaking
from agentops_site.models import Speech, VoicePreference
from incidents.values import Severity
from teams.access import needs
from teams.models import User
from teams.roles import Verb

SHOWN = 20


@never_cache
@require_safe
@needs(Verb.VIEW)
def page(request: HttpRequest) -> HttpResponse:
    """Show what was said, each with its script and to be played again, and one's own wishes."""
    person = _person(request)
    wish = hearing.wish_of(person)
    rows = [hearing.player(row, wish) for row in hearing.may_hear(person)[:SHOWN]]
    context = {"players": rows, "wish": wish, "levels": [level.value for level in hearing.LEVELS]}
    return render(request, "site/voice.html", context)


@never_cache
@require_safe
@needs(Verb.VIEW)
def latest(request: HttpRequest) -> HttpResponse:
    """Return the newest alert that this person wants to hear and has not, 204 when the page shows that one already.

    A page that was told of speech asks, and names what it shows by `shown`.
    """
    player = hearing.unheard(_person(request))
    if str(player["pk"] if player else "") == request.GET.get("shown", ""):
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return render(request, "site/voice_slot.html", {"voice_player": player})


@require_POST
@needs(Verb.VIEW)
def heard(request: HttpRequest, pk: int) -> HttpResponse:
    """Store that this person heard an alert, or put it away: no other page of theirs shows it."""
    person = _person(request)
    hearing.heard(person, get_object_or_404(hearing.may_hear(person), pk=pk))
    return HttpResponse()


@require_POST
@needs(Verb.VIEW)
def summarise(request: HttpRequest) -> HttpResponse:
    """Have the present state summed up and spoken for this person."""
    row = speaking.summarise(person=_person(request), now=timezone.now())
    return _summary(request, row)


@never_cache
@require_safe
@needs(Verb.VIEW)
def summary(request: HttpRequest, pk: int) -> HttpResponse:
    """Return one's own summary; until it is spoken the page asks again."""
    return _summary(request, get_object_or_404(Speech, pk=pk, person=_person(request)))


def _summary(request: HttpRequest, row: Speech) -> HttpResponse:
    # When no worker takes it in time the browser's voice speaks: somebody waits in front of the page.
    late = timezone.now() - row.created_at > timedelta(seconds=12)
    context = {
        "player": hearing.player(row, hearing.wish_of(_person(request))),
        "waits": row.ready_at is None and not late,
    }
    return render(request, "site/voice_summary.html", context)


@require_POST
@needs(Verb.VIEW)
def wishes(request: HttpRequest) -> HttpResponse:
    """Store whether and from which severity this person wants to hear alerts."""
    lowest = request.POST.get("lowest", "")
    VoicePreference.objects.update_or_create(
        person=_person(request),
        defaults={
            "muted": request.POST.get("muted") == "on",
            "lowest": lowest if lowest in hearing.LEVELS else Severity.HIGH.value,
        },
    )
    return redirect("voice")


@require_safe
@needs(Verb.VIEW)
def audio(request: HttpRequest, name: str) -> HttpResponseBase:
    """Serve audio that belongs to something this person may hear."""
    path = speaking.path_of(name)
    if not hearing.may_hear(_person(request)).filter(audio=name).exists() or not path.is_file():
        raise Http404
    response = FileResponse(path.open("rb"), content_type="audio/mpeg")
    response["Cache-Control"] = "private, max-age=86400, immutable"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise Http404
    return request.user
