"""The site as an app: its records of vendors and its system checks."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register


class SiteConfig(AppConfig):
    """Registers the checks of the vendors' settings."""

    name = "agentops_site"
    verbose_name = "vendors"

    def ready(self) -> None:
        """Register what `manage.py check` looks at."""
        from agentops_site.checks import vendors

        register(vendors)
