"""Every address of the product, joined from the apps."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from agentops_site import health, help_pages, pages, vendor_pages, vendor_service, voice_pages
from agentops_site.api import api

admin.autodiscover()  # here and not in the app registry: a worker, the beat and the watcher need no admin

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("accounts/", include("teams.account_urls")),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics_page, name="metrics"),
    path("help/decides/", help_pages.decides, name="help_decides"),
    path("help/alone/", help_pages.alone, name="help_alone"),
    path("favicon.ico", pages.favicon, name="favicon"),
    path("offline/", pages.offline, name="offline"),
    path("vendors/", vendor_pages.vendors_page, name="vendors"),
    path("vendors/<slug:vendor>/test/", vendor_pages.test_vendor, name="test_vendor"),
    path("vendors/of/<slug:slug>/", vendor_service.calls, name="vendor_calls"),
    path("voice/", voice_pages.page, name="voice"),
    path("voice/latest/", voice_pages.latest, name="voice_latest"),
    path("voice/heard/<int:pk>/", voice_pages.heard, name="voice_heard"),
    path("voice/summary/", voice_pages.summarise, name="voice_summarise"),
    path("voice/summary/<int:pk>/", voice_pages.summary, name="voice_summary"),
    path("voice/wishes/", voice_pages.wishes, name="voice_wishes"),
    path("voice/audio/<slug:name>.mp3", voice_pages.audio, name="voice_audio"),
    path("sw.js", pages.service_worker, name="service_worker"),
    path("", include("teams.urls")),
    path("", include("incidents.urls")),
    path("", include("monitoring.live_urls")),
    path("", include("monitoring.status_urls")),
    path("", include("monitoring.urls")),
    path("", include("shop.urls")),
    path("api/v1/", api.urls),
]

handler403 = "teams.views.refused"
handler404 = "agentops_site.pages.not_found"
handler500 = "agentops_site.pages.broken"
