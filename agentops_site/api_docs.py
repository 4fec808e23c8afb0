"""The page of the API: its reader comes from this machine, since the policy lets nothing foreign run."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI
from ninja.openapi.docs import Swagger


class LocalSwagger(Swagger):
    """Shows the API from the files that django-ninja brings along, although it is no installed app.

    As an app it would be loaded by every worker; without one, its own page asks a foreign host for them.
    """

    def render_page(self, request: HttpRequest, api: NinjaAPI, **kwargs: Any) -> HttpResponse:
        """Return the page; what it needs to know stands in it as JSON."""
        told = self.default_settings | {"url": self.get_openapi_url(api, kwargs)}
        return render(request, "api_docs.html", {"title": api.title, "told": json.dumps(told)})
