"""The management console's site object."""

from __future__ import annotations

from unfold.sites import UnfoldAdminSite


class AgentOpsAdminSite(UnfoldAdminSite):  # type: ignore[misc]
    """Django's admin in the hand of django-unfold, under our name."""

    site_title = "AgentOps"
    site_header = "AgentOps management"
    index_title = "Management console"
