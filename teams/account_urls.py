"""Addresses under /accounts/. Without a namespace: Django's own password views look their pages up by bare name."""

from __future__ import annotations

from django.contrib.auth import views
from django.urls import path

from teams import accounts, passwords

urlpatterns = [
    path("login/", accounts.SignIn.as_view(), name="login"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path("demo/", accounts.demo_sign_in, name="demo_login"),
    path("password/", passwords.PasswordChange.as_view(), name="password_change"),
    path("reset/", passwords.PasswordReset.as_view(), name="password_reset"),
    path("reset/sent/", passwords.PasswordResetSent.as_view(), name="password_reset_done"),
    path(
        "reset/<uidb64>/<token>/",
        passwords.PasswordResetConfirm.as_view(),
        name="password_reset_confirm",
    ),
    path("reset/done/", passwords.PasswordResetDone.as_view(), name="password_reset_complete"),
]
