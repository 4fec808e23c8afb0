"""What every page of the storefront shares: its frame, its messages, and who asks."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render

from shop import cart


def page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Answer with a page of the storefront."""
    frame = {"cart_count": cart.count(request.session)}
    return render(request, f"shop/{template}", frame | context, status=status)


def is_htmx(request: HttpRequest) -> bool:
    """Return whether a part is asked for and not a page."""
    return request.headers.get("HX-Request") == "true"


def toast(response: HttpResponse, text: str, tone: str) -> HttpResponse:
    """Let the page say something short."""
    response["HX-Trigger"] = json.dumps({"toast": {"text": text, "tone": tone}})
    return response


def back_with(request: HttpRequest, where: str, text: str, *, tone: str) -> HttpResponseRedirect:
    """Go to a named page and say something there."""
    levels = {"ok": messages.SUCCESS, "warning": messages.WARNING, "error": messages.ERROR}
    messages.add_message(request, levels.get(tone, messages.INFO), text)
    return redirect(where)
