"""Changing and resetting the password: Django's views in our pages, each success on the audit trail."""

from __future__ import annotations

from typing import Any

from axes.utils import reset as forget_failures
from django.contrib import messages
from django.contrib.auth import views
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.http import HttpResponse
from django.urls import reverse_lazy

from teams import audit
from teams.models import User

FORM = "teams/account_form.html"
NOTE = "teams/account_note.html"


class PasswordChange(views.PasswordChangeView):
    """Change one's password, knowing the old one."""

    template_name = "teams/password_change.html"
    success_url = reverse_lazy("teams:profile")

    def form_valid(self, form: PasswordChangeForm) -> HttpResponse:
        """Store it, end the person's other sessions, and say so on the audit trail."""
        response = super().form_valid(form)
        _recorded(form.user, "user.password_changed", audit.origin_of(self.request))
        messages.success(self.request, "Your password is changed; other sessions are signed out.")
        return response


class PasswordReset(views.PasswordResetView):
    """Send a link to the address, if it is a person's; the answer is the same either way."""

    template_name = FORM
    email_template_name = "teams/password_reset_email.txt"
    subject_template_name = "teams/password_reset_subject.txt"
    extra_context = {
        "heading": "Reset the password",
        "lead": "We send a link to your e-mail address. It works once and for three days.",
        "button": "Send the link",
    }


class PasswordResetSent(views.PasswordResetDoneView):
    """Say that a link is on its way."""

    template_name = NOTE
    extra_context = {
        "heading": "Look into your mailbox",
        "text": "If the address belongs to somebody here, a link to set a new password is on its way.",
    }


class PasswordResetConfirm(views.PasswordResetConfirmView):
    """Set a new password by the link."""

    template_name = FORM
    extra_context = {"heading": "Set a new password", "button": "Set the password"}

    def form_valid(self, form: SetPasswordForm[Any]) -> HttpResponse:
        """Store it and lift a lockout: the failed attempts were why the person came here."""
        response = super().form_valid(form)
        _recorded(form.user, "user.password_reset", audit.origin_of(self.request))
        forget_failures(username=form.user.email)
        return response


class PasswordResetDone(views.PasswordResetCompleteView):
    """Say that the new password holds."""

    template_name = NOTE
    extra_context = {
        "heading": "The new password is set",
        "text": "Sign in with it now.",
        "url": reverse_lazy("login"),
        "action": "Sign in",
    }


def _recorded(person: User, verb: str, origin: str) -> None:
    audit.record(actor=person, verb=verb, target=person, origin=origin)
