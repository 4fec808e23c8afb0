"""Every address of the product, joined from the apps."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("accounts/", include("teams.account_urls")),
    path("", include("teams.urls")),
]

handler403 = "teams.views.refused"
