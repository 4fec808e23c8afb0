"""The list of incidents and the page of one."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from incidents import access
from incidents.forms import CommentForm, FilterForm
from incidents.models import Incident
from incidents.queries import change, evidence, listing, page, story
from incidents.queries.body import body
from incidents.values import Severity
from incidents.views.person import person_of
from teams.access import may, needs
from teams.roles import Verb


@never_cache
@require_safe
@needs(Verb.VIEW)
def incident_list(request: HttpRequest) -> HttpResponse:
    """Show the incidents: the whole page, or for HTMX the part that it asked for."""
    wanted = _wanted(request)
    target = request.headers.get("HX-Target", "")
    context = _rows(request, wanted)
    if request.headers.get("HX-Request") == "true" and target in {"incident-list", "incident-rows"}:
        part = "list" if target == "incident-list" else "rows"
        response = render(request, f"incidents/parts/{part}.html", context)
        if part == "list":
            response.headers["HX-Push-Url"] = f"/{wanted.query()}"  # without what is not filtered
        return response
    context |= {
        "services": listing.services(),
        "groups": listing.GROUPS,
        "sorts": listing.SORTS,
        "severities": [severity.value for severity in reversed(Severity)],
    }
    return render(request, "incidents/list.html", context)


def _wanted(request: HttpRequest) -> listing.Wanted:
    """Return the filter in the address; a value that is none (an old link, a typing error) is left out."""
    form = FilterForm(request.GET)
    form.is_valid()
    known = {name: value for name, value in form.cleaned_data.items() if value}
    return listing.Wanted(**known)


def _rows(request: HttpRequest, wanted: listing.Wanted) -> dict[str, Any]:
    query = wanted.query()
    context = {"wanted": wanted, "refetch_url": f"/{query}"}
    if not wanted.is_default:
        live = urlencode(
            {"page": "list", "seen": listing.newest(), "query": query.removeprefix("?")}
        )
        return context | {"page": listing.page(wanted), "socket_url": f"/ws/?{live}"}
    rows = listing.read()
    person = person_of(request)
    sections = listing.arranged(rows, person, listing.rights({person.role})[person.role])
    context["socket_url"] = f"/ws/?page=list&seen={rows.seen}"
    empty = not any(section["rows"] for section in sections)
    return context | {
        "sections": sections,
        "teach": empty,
        "demo": _demo_for(request) if empty else None,
    }


def _demo_for(request: HttpRequest) -> Any:
    demo = listing.demo_service()
    allowed = demo and may(request.user, Verb.INJECT_FAULT, service=demo.slug).allowed
    return demo if allowed else None


@never_cache
@require_safe
@needs(Verb.VIEW)
def incident(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one incident."""
    loaded = loaded_or_404(pk)
    split = request.GET.get("view") == "split"
    context = {
        **context_of(request, loaded),
        "body": body(loaded, side_by_side=split),
        **talk(loaded),
    }
    return render(request, "incidents/incident.html", context)


PARTS = {
    "head": "head",
    "body": "body",
    "decision": "decision",
    "timeline": "timeline",
    "comments": "comments",
}


@never_cache
@require_safe
@needs(Verb.VIEW)
def part(request: HttpRequest, pk: int, name: str) -> HttpResponse:
    """Serve one region of the incident page, as it reads itself again after a lost line."""
    if name not in PARTS:
        raise Http404
    loaded = loaded_or_404(pk)
    context = context_of(request, loaded)
    if name == "body":
        context["body"] = body(loaded)
    if name == "timeline":
        context |= talk(loaded, whole="whole" in request.GET)
    if name == "comments":
        return _comments(request, loaded)
    return render(request, f"incidents/parts/{PARTS[name]}.html", context)


def _comments(request: HttpRequest, loaded: page.Loaded) -> HttpResponse:
    """Serve the comments from the first one on show, or with `?earlier` those before it, to be put above."""
    text = request.GET.get("from", "")
    first = min(int(text), 2**62) if text.isdecimal() and len(text) < 20 else 0
    if "earlier" in request.GET:
        said, part = story.earlier_comments(loaded.incident, before=first), "comments_earlier"
    else:
        said, part = story.discussion(loaded.incident, since=first), "comments"
    context = {"pk": loaded.incident.pk, "discussion": said}
    return render(request, f"incidents/parts/{part}.html", context)


@never_cache
@require_safe
@needs(Verb.VIEW)
def diff(request: HttpRequest, pk: int) -> HttpResponse:
    """Serve the diff in the view that was asked for, the whole of it on demand."""
    loaded = loaded_or_404(pk)
    split = request.GET.get("view") == "split"
    shown = change.change(loaded, side_by_side=split, whole="whole" in request.GET)
    return render(request, "incidents/parts/diff.html", {"change": shown, "pk": pk})


@never_cache
@require_safe
@needs(Verb.VIEW)
def log(request: HttpRequest, pk: int) -> HttpResponse:
    """Serve the whole log in groups of lines that the browser lays out only when they are seen."""
    text = evidence.log_text(loaded_or_404(pk).evidence)
    return render(request, "incidents/parts/log.html", {"groups": evidence.whole_log(text)})


@never_cache
@require_safe
@needs(Verb.VIEW)
def log_file(request: HttpRequest, pk: int) -> HttpResponse:
    """Serve the log as a text file."""
    text = evidence.log_text(loaded_or_404(pk).evidence)
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="incident-{pk}.log"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def loaded_or_404(pk: int) -> page.Loaded:
    """Return the incident with its rows, or answer that it is not here."""
    try:
        return page.load(pk)
    except Incident.DoesNotExist as error:
        raise Http404(f"There is no incident {pk}.") from error


def context_of(request: HttpRequest, loaded: page.Loaded) -> dict[str, Any]:
    """Return what every part of the page needs: its head, and what this person may do."""
    person = person_of(request)
    bar = access.decision(person, loaded, access.rulings([person], loaded))
    return {"head": page.head(loaded), "bar": bar}


def talk(loaded: page.Loaded, *, whole: bool = False) -> dict[str, Any]:
    """Return discussion and timeline; of a long timeline the last part unless the whole is wanted."""
    pk = loaded.incident.pk
    entries = story.timeline(pk, last=None if whole else story.ENTRIES_SHOWN)
    return {
        "pk": pk,
        "discussion": story.discussion(loaded.incident),
        "comment_form": CommentForm(auto_id="comment-%s"),
        "entries": entries,
        "earlier": 0 if whole else story.count(pk) - len(entries),
    }
