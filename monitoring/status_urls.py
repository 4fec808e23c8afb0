"""Address of the public status page."""

from __future__ import annotations

from django.urls import path

from monitoring import views_status

app_name = "status"
urlpatterns = [path("status/", views_status.page, name="page")]
