"""The management console's site object."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from unfold.sites import UnfoldAdminSite

from teams.access import AccessRefused, Ruling

NOT_YOURS = "the console is for managers; the team page shows who they are"


class AgentOpsAdminSite(UnfoldAdminSite):  # type: ignore[misc]
    """Django's admin in the hand of django-unfold, under our name."""

    site_title = "AgentOps"
    site_header = "AgentOps management"
    index_title = "Management console"

    @method_decorator(never_cache)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send to the one page where one signs in; whoever is signed in, and no manager, is told so."""
        if self.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            raise AccessRefused(Ruling(allowed=False, reason=NOT_YOURS))
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))
