"""What every request passes: the content security policy, the API's way to refuse a method, and the person's time zone."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.utils import timezone

Handler = Callable[[HttpRequest], HttpResponse]

STRICT_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
# The admin's own library (unfold with Alpine) needs inline styles and eval; it is kept to that one prefix.
ADMIN_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


def content_security_policy(get_response: Handler) -> Handler:
    """Answer every page with a policy under which nothing foreign and nothing inline can run."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        relaxed = request.path.startswith("/admin/")
        response.headers.setdefault(
            "Content-Security-Policy", ADMIN_POLICY if relaxed else STRICT_POLICY
        )
        return response

    return respond


def api_method_refusal(get_response: Handler) -> Handler:
    """Refuse a method that an address of the API has not in the API's shape: its library does so in plain text."""

    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not isinstance(response, HttpResponseNotAllowed) or not request.path.startswith("/api/"):
            return response
        allowed = ", ".join(sorted(response.headers["Allow"].split(", ")))
        said = {"detail": f"This address takes {allowed} only."}
        return JsonResponse(said, status=405, headers={"Allow": allowed})

    return respond


def person_time_zone(get_response: Handler) -> Handler:
    """Show times in the signed-in person's zone; everything stored stays in UTC."""

    def respond(request: HttpRequest) -> HttpResponse:
        name = getattr(request.user, "time_zone", "UTC")
        with timezone.override(ZoneInfo(name)):
            return get_response(request)

    return respond
