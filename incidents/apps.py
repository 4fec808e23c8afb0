"""The incidents app."""

from __future__ import annotations

from django.apps import AppConfig

from teams.apps import Rights


class IncidentsConfig(AppConfig):
    """Names the app, and what managers may do with its rows in the console."""

    name = "incidents"
    managers_may: Rights = {
        "incident": ("view",),
        "decision": ("view",),
        "deployment": ("view",),
        "clearancereport": ("view",),
        "learningrecord": ("view",),
        "delivery": ("view",),
        "notificationchannel": ("view", "add", "change", "delete"),
        "oncall": ("view", "add", "change", "delete"),
    }
