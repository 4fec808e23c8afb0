"""The API: joins the apps' routers and answers every refusal in one shape, `{"detail": ...}`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError

from agentops_site.api_docs import LocalSwagger
from incidents.api import router as incidents_router
from incidents.models import LostLease
from incidents.states import BadInput, Conflict, IllegalTransition
from incidents.values import BadActions
from monitoring.api import router as monitoring_router
from teams.access import AccessRefused
from teams.tokens import BearerAuth, answer_refused

DESCRIPTION = """Alerts in, results out. Sign in with the header `Authorization: Bearer TOKEN`; a person makes tokens in their
settings, or `./agentops manage create_api_token EMAIL` prints one.

Times are ISO 8601 in UTC. Lists are `{"items": [...], "next": ...}`, newest first; `next` goes into `before` of the next call.

A refusal is `{"detail": ...}`: 401 without a valid token, 403 with `needed_role` when the role may not, 404 when there is no such
thing, 405 with `Allow` when the address has not this method, 409 when it does not fit what is now (state, another digest, a question that expired, a pause), 422 for bad input."""

api = NinjaAPI(
    title="AgentOps",
    version="1",
    description=DESCRIPTION,
    auth=BearerAuth(),
    docs=LocalSwagger(),
    urls_namespace="api",
)
api.add_router("", incidents_router)
api.add_router("", monitoring_router)
api.add_exception_handler(AccessRefused, answer_refused)


def _answers(status: int) -> Callable[[HttpRequest, Any], HttpResponse]:
    def answer(request: HttpRequest, error: Any) -> HttpResponse:
        return api.create_response(request, {"detail": str(error)}, status=status)

    return answer


def _moved_on(request: HttpRequest, error: Any) -> HttpResponse:
    detail = "The incident moved on meanwhile; read it again."
    return api.create_response(request, {"detail": detail}, status=409)


def _unknown_caller(request: HttpRequest, error: Any) -> HttpResponse:
    detail = "Sign in with a valid token: send the header `Authorization: Bearer TOKEN`."
    response = api.create_response(request, {"detail": detail}, status=401)
    response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _not_understood(request: HttpRequest, error: Any) -> HttpResponse:
    unreadable = error.status_code == 400  # the library's own for a body that it cannot read
    detail = "The body is no JSON that can be read." if unreadable else str(error)
    return api.create_response(
        request, {"detail": detail}, status=422 if unreadable else error.status_code
    )


api.add_exception_handler(AuthenticationError, _unknown_caller)
api.add_exception_handler(HttpError, _not_understood)
api.add_exception_handler(Http404, _answers(404))  # the library's own hides which thing is missing
api.add_exception_handler(BadInput, _answers(422))
api.add_exception_handler(Conflict, _answers(409))
api.add_exception_handler(IllegalTransition, _answers(409))
api.add_exception_handler(LostLease, _moved_on)
api.add_exception_handler(BadActions, _answers(422))
