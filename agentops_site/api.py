"""The API: joins the apps' routers and answers every refusal in one shape, `{"detail": ...}`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from incidents.api import router as incidents_router
from incidents.models import LostLease
from incidents.states import Conflict, IllegalTransition
from incidents.values import BadActions
from monitoring.api import router as monitoring_router
from teams.access import AccessRefused
from teams.tokens import BearerAuth, answer_refused

api = NinjaAPI(
    title="AgentOps",
    version="1",
    description="Alerts in, results out. Times are ISO 8601 in UTC; lists are newest first.",
    auth=BearerAuth(),
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


api.add_exception_handler(Conflict, _answers(409))
api.add_exception_handler(IllegalTransition, _answers(409))
api.add_exception_handler(LostLease, _moved_on)
api.add_exception_handler(BadActions, _answers(422))
