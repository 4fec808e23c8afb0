"""Every address of the product, joined from the apps."""

from __future__ import annotations

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from agentops_site import health, pages

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("accounts/", include("teams.account_urls")),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics_page, name="metrics"),
    path("offline/", pages.offline, name="offline"),
    path("sw.js", pages.service_worker, name="service_worker"),
    path("", include("teams.urls")),
    path("", include("incidents.urls")),
    path("", include("monitoring.live_urls")),
    path("", include("monitoring.status_urls")),
]

# Apps that are still being built join as soon as their modules are there.
if find_spec("monitoring.api"):
    from agentops_site.api import api

    urlpatterns.append(path("api/v1/", api.urls))
for app in ("monitoring", "shop"):
    if find_spec(f"{app}.urls"):
        urlpatterns.append(path("", include(f"{app}.urls")))

handler403 = "teams.views.refused"
handler404 = "agentops_site.pages.not_found"
handler500 = "agentops_site.pages.broken"
