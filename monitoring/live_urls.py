"""Addresses of the live API viewer."""

from __future__ import annotations

from django.urls import path

from monitoring import views_live

app_name = "live"
urlpatterns = [
    path("live/", views_live.page, name="page"),
    path("live/panels/", views_live.panels, name="panels"),
    path("live/send/<slug:slug>/", views_live.send, name="send"),
]
