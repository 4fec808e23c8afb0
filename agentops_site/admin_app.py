"""The admin site of the product as an app."""

from __future__ import annotations

from django.contrib.admin.apps import SimpleAdminConfig


class AgentOpsAdminConfig(SimpleAdminConfig):
    """Puts our admin site in the place of Django's; `urls.py` finds the apps' admins, so that workers load none."""

    default_site = "agentops_site.admin_site.AgentOpsAdminSite"
