"""The few pages that belong to the site and to no app: offline page, service worker, 404 and 500."""

from __future__ import annotations

from pathlib import Path

from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """Show what the service worker keeps for when the network is gone."""
    return render(request, "offline.html")


@never_cache
@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """Serve the worker from the root: from /static/ it would only be let near /static/."""
    found = finders.find("js/sw.js")
    if not isinstance(found, str):
        raise Http404
    return HttpResponse(Path(found).read_bytes(), content_type="text/javascript; charset=utf-8")


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Send the address that browsers ask for by themselves to the icon of the product."""
    return redirect(static("icons/favicon.svg"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404: a page, one plain line for HTMX, whose toast says the rest, or JSON under the API."""
    if request.path.startswith("/api/"):
        said = "There is nothing at this address; /api/v1/docs names every one."
        return JsonResponse({"detail": said}, status=404)
    if request.headers.get("HX-Request") == "true":
        return HttpResponse("Not here.", status=404, content_type="text/plain; charset=utf-8")
    context = {"shopper": _is_shops(request), "signed_in": request.user.is_authenticated}
    return render(request, "404.html", context, status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """Answer 500 without asking the database or the session, either of which may be what broke."""
    if request.path.startswith("/api/"):
        said = "Something broke on our side; the server's log says what."
        return JsonResponse({"detail": said}, status=500)
    return render(None, "500.html", {"shopper": _is_shops(request)}, status=500)


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 to a form without a good token (CSRF_FAILURE_VIEW): a page that leads back, or one line for HTMX."""
    if request.headers.get("HX-Request") == "true":
        text = "This page is too old: load it again and repeat."
        return HttpResponse(text, status=403, content_type="text/plain; charset=utf-8")
    return render(request, "403_csrf.html", {"shopper": _is_shops(request)}, status=403)


def _is_shops(request: HttpRequest) -> bool:
    """Say whether a shopper asks: incidents and roles are nothing to them."""
    return request.path.startswith("/shop/")
