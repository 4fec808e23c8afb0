"""The address of the team's socket."""

from __future__ import annotations

from typing import Any

from django.urls import path

from incidents.consumers import TeamSocket

socket: Any = (
    TeamSocket.as_asgi()
)  # Django's `path` is typed for views only; Channels routes with it all the same
websocket_urlpatterns: list[Any] = [path("ws/", socket)]
