"""What every page of the storefront shares: its frame, its messages, and who asks."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render

from shop import cart, target
from teams.access import allowed_verbs
from teams.models import User
from teams.roles import Verb

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
NO_SHOP = "There is no shop here."


def with_shop(view: View[P]) -> View[P]:
    """Wrap a view that has something to show only where a shop is set up: an outage passes, this does not."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        return view(request, *args, **kwargs) if target.service() else _not_set_up(request)

    return guarded


def _not_set_up(request: HttpRequest) -> HttpResponse:
    """Say that there is no shop, and to the team what to do about it."""
    if is_htmx(request):
        response = HttpResponse(status=404)
        response["HX-Reswap"] = "none"
        return toast(response, NO_SHOP, "error")
    verbs = allowed_verbs(request.user)
    manages = Verb.CONFIGURE in verbs and cast(User, request.user).is_staff
    context = {"team": bool(verbs), "manages": manages, "slug": settings.SHOP_SERVICE}
    return page(request, "not_set_up.html", context, status=404)


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
