"""Clearance reports: list, page, print view, download, and what people add to them."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from incidents.models import ClearanceReport, FollowUp
from incidents.pipeline import aftermath
from incidents.pipeline.gates import Conflict
from incidents.queries import reports as reads
from incidents.views.person import person_of
from teams import access
from teams.access import needs
from teams.models import User
from teams.roles import Verb


@never_cache
@require_GET
@needs(Verb.VIEW_REPORTS)
def report_list(request: HttpRequest) -> HttpResponse:
    """Show the reports, newest first, by search and service."""
    context = reads.page(reads.Wanted.of(request.GET.dict()))
    return render(request, "incidents/reports/list.html", context)


@never_cache
@require_GET
@needs(Verb.VIEW)
def report(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one report."""
    row = _readable(request, pk)
    verbs = access.allowed_verbs(
        person_of(request), severity=row.incident.severity, service=row.incident.service.slug
    )
    may_write = Verb.WRITE_POSTMORTEM in verbs
    people = list(User.objects.admitted().order_by("display_name", "email")) if may_write else []
    context = {**reads.one(row), "may_write": may_write, "people": people}
    return render(request, "incidents/reports/report.html", context)


@never_cache
@require_GET
@needs(Verb.VIEW)
def print_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one report bare, as it is printed or saved as PDF."""
    return render(request, "incidents/reports/print.html", reads.one(_readable(request, pk)))


@never_cache
@require_GET
@needs(Verb.VIEW)
def download(request: HttpRequest, pk: int) -> HttpResponse:
    """Send one report as a Markdown file."""
    row = _readable(request, pk)
    name = f"clearance-report-{row.incident_id}-{row.attempt}.md"
    return HttpResponse(
        reads.markdown(row),
        content_type="text/markdown; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@require_POST
@needs(Verb.VIEW)
def postmortem(request: HttpRequest, pk: int) -> HttpResponse:
    """Store the text on top of a report."""
    row = _readable(request, pk)
    return _done(
        request,
        row,
        lambda: aftermath.write_postmortem(
            report=row,
            person=person_of(request),
            text=request.POST.get("text", ""),
            now=timezone.now(),
        ),
        "The post-mortem is stored.",
    )


@require_POST
@needs(Verb.VIEW)
def add_follow_up(request: HttpRequest, pk: int) -> HttpResponse:
    """Add a follow-up."""
    row = _readable(request, pk)
    text = request.POST.get("text", "")
    return _done(
        request,
        row,
        lambda: aftermath.add_follow_up(report=row, person=person_of(request), text=text),
        "Added.",
    )


@require_POST
@needs(Verb.VIEW)
def change_follow_up(request: HttpRequest, pk: int) -> HttpResponse:
    """Tick a follow-up off, open it again, or give it to somebody (`person`: an id, or "" for nobody)."""
    row = get_object_or_404(
        FollowUp.objects.select_related("report__incident__service", "assignee"), pk=pk
    )
    _readable(request, row.report_id)
    act, words = _change(request, row)
    return _done(request, row.report, act, words)


def _change(request: HttpRequest, row: FollowUp) -> tuple[Callable[[], object], str]:
    me = person_of(request)
    if "person" in request.POST:
        given = request.POST["person"]
        chosen = User.objects.filter(pk=int(given)).first() if given.isdecimal() else None
        return lambda: aftermath.assign_follow_up(row=row, person=me, assignee=chosen), "Assigned."
    done = request.POST.get("done") == "1"
    words = "Done." if done else "Open again."
    return lambda: aftermath.tick(row=row, person=me, done=done, now=timezone.now()), words


def _done(
    request: HttpRequest, row: ClearanceReport, act: Callable[[], object], words: str
) -> HttpResponse:
    try:
        act()
    except Conflict as conflict:
        messages.error(request, str(conflict))
    else:
        messages.success(request, words)
    return redirect("incidents:report", pk=row.pk)


def _readable(request: HttpRequest, pk: int) -> ClearanceReport:
    """Return a report that the person may read: by role, or because something in it is theirs to do."""
    row = get_object_or_404(
        ClearanceReport.objects.select_related("incident__service", "postmortem_by"), pk=pk
    )
    incident, person = row.incident, person_of(request)
    ruling = access.may(
        person, Verb.VIEW_REPORTS, severity=incident.severity, service=incident.service.slug
    )
    if not ruling.allowed and not reads.may_read(row, person):
        raise access.AccessRefused(ruling)
    return row
