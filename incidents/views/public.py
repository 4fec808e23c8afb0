"""Incidents for everybody: the part of the public status page that incidents serve."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from incidents.queries import public


@never_cache
@require_safe
def incidents(request: HttpRequest) -> HttpResponse:
    """Serve current and past incidents, to signed-out people too."""
    return render(request, "incidents/public.html", public.incidents(now=timezone.now()))
