"""Addresses under /accounts/. Without a namespace: Django's own password views look their pages up by bare name."""

from __future__ import annotations

from django.contrib.auth import views
from django.urls import path

from teams import accounts

urlpatterns = [
    path("login/", accounts.SignIn.as_view(), name="login"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path("demo/", accounts.demo_sign_in, name="demo_login"),
]
