"""Addresses of the service pages."""

from __future__ import annotations

from django.urls import path

from monitoring import views

app_name = "monitoring"
urlpatterns = [
    path("services/", views.services, name="services"),
    path("services/<slug:slug>/", views.service, name="service"),
    path("services/<slug:slug>/probe/", views.probe, name="probe"),
    path("services/<slug:slug>/faults/", views.inject, name="inject"),
    path("services/<slug:slug>/break/", views.faults, name="faults"),
    path("services/<slug:slug>/restore/", views.restore, name="restore"),
]
