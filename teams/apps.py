"""The teams app, and the rights of managers in the console."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.apps import AppConfig
from django.db.models.signals import post_migrate

Rights = Mapping[str, tuple[str, ...]]


class TeamsConfig(AppConfig):
    """Names the app; keeps the group "Managers" in step with what every app lets managers do."""

    name = "teams"
    managers_may: ClassVar[Rights] = {
        "user": ("view", "add", "change"),
        "matrixrow": ("view", "add", "change", "delete"),
        "apitoken": ("view", "add", "change"),
        "auditentry": ("view",),
    }

    def ready(self) -> None:
        """Seed after each app's migration: Django makes the permissions themselves only then."""
        post_migrate.connect(grant_managers, dispatch_uid="teams.grant_managers")


def grant_managers(sender: AppConfig, **context: Any) -> None:
    """Give the group "Managers" what the migrated app's config names in `managers_may` ({model: actions})."""
    rights: Rights = getattr(sender, "managers_may", {})
    if not rights:
        return
    from django.contrib.auth.models import Group, Permission  # models load after the apps

    names = [f"{action}_{model}" for model, actions in rights.items() for action in actions]
    found = Permission.objects.filter(content_type__app_label=sender.label, codename__in=names)
    managers, _ = Group.objects.get_or_create(name="Managers")
    managers.permissions.add(*found)
