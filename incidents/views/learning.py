"""The learning page, and leaving records out."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from incidents.models import LearningRecord
from incidents.pipeline import exclusion
from incidents.pipeline.gates import Conflict
from incidents.queries import learning as reads
from incidents.views.person import person_of
from teams import access
from teams.access import needs
from teams.roles import Verb


@never_cache
@require_GET
@needs(Verb.VIEW)
def page(request: HttpRequest) -> HttpResponse:
    """Show what was learned and what it does."""
    verbs = access.allowed_verbs(person_of(request))
    context = {
        **reads.records(request.GET.dict()),
        "calibration": reads.calibration(),
        "effects": reads.effects(now=timezone.now()),
        "open_cases": reads.open_cases(),
        "may_exclude": Verb.EXCLUDE_LEARNING in verbs,
    }
    return render(request, "incidents/learning/page.html", context)


@require_POST
@needs(Verb.EXCLUDE_LEARNING)
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Leave a record out (with `reason`), or take it back in (`include`=1)."""
    record = get_object_or_404(LearningRecord, pk=pk)
    person = person_of(request)
    try:
        if request.POST.get("include") == "1":
            exclusion.include(record=record, person=person)
            words = "It counts again."
        else:
            reason = request.POST.get("reason", "")
            exclusion.exclude(record=record, person=person, reason=reason, now=timezone.now())
            words = "It does not count any more."
    except Conflict as conflict:
        messages.error(request, str(conflict))
    else:
        messages.success(request, words)
    return redirect("incidents:learning")
