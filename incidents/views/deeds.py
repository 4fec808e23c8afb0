"""What people do on the incident page: one POST, one call into the pipeline, the refreshed parts as the answer."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from incidents.forms import CommentForm, DeedForm
from incidents.models import Incident, LostLease
from incidents.pipeline import approvals, people
from incidents.pipeline.gates import Conflict
from incidents.states import IllegalTransition
from incidents.values import BadActions
from incidents.views.pages import context_of, loaded_or_404
from incidents.views.person import person_of
from teams.access import needs
from teams.models import User
from teams.roles import Verb

REFUSED = (Conflict, IllegalTransition, LostLease, BadActions)
Deed = Callable[[int, User, dict[str, str]], object]


def _approve(pk: int, person: User, said: dict[str, str]) -> object:
    return approvals.authorise(
        incident_id=pk, fix_digest=said["fix_digest"], person=person, reason=said["reason"]
    )


def _override(pk: int, person: User, said: dict[str, str]) -> object:
    return approvals.authorise(
        incident_id=pk,
        fix_digest=said["fix_digest"],
        person=person,
        reason=said["reason"],
        override=True,
    )


def _reject(pk: int, person: User, said: dict[str, str]) -> object:
    return approvals.reject(
        incident_id=pk, person=person, reason=said["reason"], fix_digest=said["fix_digest"]
    )


def _assign(pk: int, person: User, said: dict[str, str]) -> object:
    assignee = get_object_or_404(User, pk=said["person"] or 0)
    return people.assign(incident_id=pk, person=person, assignee=assignee)


DEEDS: dict[str, tuple[Deed, str]] = {
    "approve": (_approve, "Approved: deploying"),
    "override": (_override, "Overridden: deploying"),
    "reject": (_reject, "Rejected"),
    "assign": (_assign, "Assigned"),
    "request_changes": (
        lambda pk, person, said: approvals.request_changes(
            incident_id=pk, person=person, reason=said["reason"]
        ),
        "Sent back: the agent starts over",
    ),
    "acknowledge": (
        lambda pk, person, said: people.acknowledge(incident_id=pk, person=person),
        "Noted that you have seen it",
    ),
    "take_over": (
        lambda pk, person, said: people.take_over(incident_id=pk, person=person),
        "You have it; the agent's hands are off",
    ),
    "hand_back": (
        lambda pk, person, said: people.hand_back(incident_id=pk, person=person),
        "The agent goes on",
    ),
    "close": (
        lambda pk, person, said: people.resolve(
            incident_id=pk, person=person, reason=said["reason"]
        ),
        "Closed",
    ),
    "reopen": (
        lambda pk, person, said: people.reopen(incident_id=pk, person=person),
        "Reopened: the agent starts over",
    ),
    "ask": (
        lambda pk, person, said: people.ask(incident_id=pk, person=person),
        "Asked: they are told",
    ),
    "choose": (
        lambda pk, person, said: people.choose(
            incident_id=pk, person=person, fix_digest=said["fix_digest"]
        ),
        "Put up: it is tried first",
    ),
}


@require_POST
@needs(Verb.VIEW)
def deed(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Carry out one act; 409 with the reason when it does not fit what is now."""
    if name not in DEEDS:
        raise Http404
    get_object_or_404(Incident.objects.only("id"), pk=pk)
    form = DeedForm(request.POST)
    if not form.is_valid():
        return _answer(request, pk, "That is too long, or not what was asked.", status=422)
    act, words = DEEDS[name]
    try:
        act(pk, person_of(request), form.cleaned_data)
    except REFUSED as refused:
        moved_on = isinstance(refused, LostLease)
        text = "The incident moved on meanwhile; look again." if moved_on else str(refused)
        return _answer(request, pk, text, status=409)
    return _answer(request, pk, words)


def _answer(request: HttpRequest, pk: int, text: str, *, status: int = 200) -> HttpResponse:
    """Answer HTMX with the decision bar and the head as they are now and a toast; others with the whole page."""
    bad = status >= 400
    if request.headers.get("HX-Request") != "true":
        (messages.error if bad else messages.success)(request, text)
        return redirect("incidents:incident", pk=pk)
    context = context_of(request, loaded_or_404(pk))
    response = render(request, "incidents/parts/answer.html", context, status=status)
    toast = {"text": text, "tone": "error" if bad else "ok"}
    response.headers["HX-Trigger"] = json.dumps({"toast": toast})  # ASCII: a header takes no more
    return response


@require_POST
@needs(Verb.VIEW)
def comment(request: HttpRequest, pk: int) -> HttpResponse:
    """Add to the discussion; a refused text stays in the form with the reason."""
    loaded = loaded_or_404(pk)
    form = CommentForm(request.POST, auto_id="comment-%s")
    context = {"comment_form": form, **context_of(request, loaded)}
    status = 422
    if form.is_valid():
        try:
            text = form.cleaned_data["text"]
            row = people.comment(incident_id=pk, person=person_of(request), text=text)
            context |= {"comment": row, "comment_form": CommentForm(auto_id="comment-%s")}
            status = 200
        except Conflict as refused:
            form.add_error("text", str(refused))
    if request.headers.get("HX-Request") == "true":
        return render(request, "incidents/parts/commented.html", context, status=status)
    for error in form.errors.get("text", []):
        messages.error(request, str(error))
    return redirect("incidents:incident", pk=pk)
