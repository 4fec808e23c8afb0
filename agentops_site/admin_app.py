"""The admin site of the product as an app."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class AgentOpsAdminConfig(AdminConfig):
    """Puts our admin site in the place of Django's."""

    default_site = "agentops_site.admin_site.AgentOpsAdminSite"
