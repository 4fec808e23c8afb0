"""The teams app."""

from __future__ import annotations

from django.apps import AppConfig


class TeamsConfig(AppConfig):
    """Names the app."""

    name = "teams"
