"""The vendors page for those who configure: what is set up, how it goes, and a test button each."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from agentops_site import vendors
from incidents import queue
from teams import audit
from teams.access import needs
from teams.models import User
from teams.roles import Verb

TEST = "agentops_site.tasks.test_vendor"


@never_cache
@require_safe
@needs(Verb.CONFIGURE)
def vendors_page(request: HttpRequest) -> HttpResponse:
    """Show all vendors; asked by HTMX, only the part that changes."""
    template = (
        "site/vendor_cards.html" if request.headers.get("HX-Request") else "site/vendors.html"
    )
    return render(request, template, {"vendors": vendors.overview(now=timezone.now())})


@require_POST
@needs(Verb.CONFIGURE)
def test_vendor(request: HttpRequest, vendor: str) -> HttpResponse:
    """Have the agent's worker ask one vendor; the page reads the result when it is there."""
    if vendor not in settings.VENDOR_TESTS or not isinstance(request.user, User):
        raise Http404
    audit.record(
        actor=request.user,
        verb="vendor.tested",
        target=vendor,
        after={"vendor": vendor},
        origin=audit.origin_of(request),
    )
    queue.enqueue(TEST, vendor)
    return render(
        request, "site/vendor_cards.html", {"vendors": vendors.overview(now=timezone.now())}
    )
