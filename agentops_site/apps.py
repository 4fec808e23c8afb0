"""The site as an app: our Celery app is the current one, vendors' settings are checked, open pages wake up."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Connects what has to be connected once a process."""

    name = "agentops_site"
    verbose_name = "vendors"

    def ready(self) -> None:
        """Set Celery's current app, and listen to Django's own signals.

        Signing out and saving are done in many places, and none may be missed. A lost wake-up costs five seconds, for
        the sockets look again by themselves.
        """
        # In every process that sends tasks our Celery app is the current one. Not in __init__: celery_app imports us.
        import celery_app

        celery_app.app.set_default()

        from django.contrib.auth.signals import user_logged_out
        from django.core.checks import register
        from django.db.models.signals import post_save

        from agentops_site.checks import vendors
        from incidents.models import AgentState
        from teams.models import User

        register(vendors)
        user_logged_out.connect(_signed_out, dispatch_uid="push signed out")
        post_save.connect(_person_saved, sender=User, dispatch_uid="push person")
        post_save.connect(_agent_switched, sender=AgentState, dispatch_uid="push agent")


def _signed_out(*, user: Any, **_: Any) -> None:
    if user is not None:
        _publish("person", {"id": user.pk})


def _person_saved(*, instance: Any, created: bool, **_: Any) -> None:
    if not created:
        _publish("person", {"id": instance.pk})


def _agent_switched(**_: Any) -> None:
    _publish("agent", {})


def _publish(kind: str, payload: dict[str, Any]) -> None:
    from monitoring.realtime import publish

    publish(kind, payload)
