"""Addresses of the team page and of one's own settings."""

from __future__ import annotations

from django.urls import path

from teams import views

app_name = "teams"
urlpatterns = [
    path("team/", views.team, name="team"),
    path("accounts/profile/", views.profile, name="profile"),
    path("accounts/profile/tokens/", views.issue_token, name="issue_token"),
    path("accounts/profile/tokens/<int:pk>/revoke/", views.revoke_token, name="revoke_token"),
]
