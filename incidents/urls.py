"""Addresses of the incident pages, of what people do there, and of the fragments that other pages include."""

from __future__ import annotations

from django.urls import path

from incidents.views import fragments, pages

app_name = "incidents"
urlpatterns = [
    path("", pages.incident_list, name="list"),
    path("incidents/<int:pk>/", pages.incident, name="incident"),
    path("incidents/fragments/header/health/", fragments.header_health, name="header_health"),
    path("incidents/fragments/header/agent/", fragments.header_agent, name="header_agent"),
    path("incidents/fragments/header/bell/", fragments.header_bell, name="header_bell"),
]
