"""The analytics page and its download."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from incidents.queries import analytics_page
from incidents.queries.analytics_rows import Rows, Span, load
from teams.access import needs
from teams.roles import Verb


def _rows(request: HttpRequest) -> Rows:
    return load(Span.of(request.GET.dict(), today=timezone.localdate()))


@never_cache
@require_GET
@needs(Verb.VIEW)
def page(request: HttpRequest) -> HttpResponse:
    """Show the figures of a span of days."""
    return render(request, "incidents/analytics/page.html", analytics_page.page(_rows(request)))


@never_cache
@require_GET
@needs(Verb.VIEW)
def download(request: HttpRequest) -> HttpResponseBase:
    """Send the incidents of a span as CSV."""
    rows = _rows(request)
    name = f"incidents-{rows.span.first}-{rows.span.last}.csv"
    return StreamingHttpResponse(
        analytics_page.csv_lines(rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
