"""Changing and resetting the password: Django's views in our pages, each success on the audit trail."""

from __future__ import annotations

from typing import Any

from axes.utils import reset as forget_failures
from django import forms
from django.contrib import messages
from django.contrib.auth import views
from django.contrib.auth.forms import PasswordChangeForm, PasswordResetForm, SetPasswordForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse_lazy

from teams import audit, throttle
from teams.models import User

FORM = "teams/account_form.html"
NOTE = "teams/account_note.html"
BODY, SUBJECT = "teams/password_reset_email.txt", "teams/password_reset_subject.txt"


class LinkForm(PasswordResetForm):
    """Mails the link to choose a password, also to somebody who never had one: so people are invited."""

    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )

    def get_users(self, email: str) -> list[User]:
        """Return the admitted person of the address, in any letter case."""
        return list(User.objects.admitted().filter(email=email.strip().lower()))


def send_link(request: HttpRequest, person: User) -> bool:
    """Mail a person the link to choose a password; False when too many were asked for. Nobody else ever sees the link."""
    form = LinkForm({"email": person.email})
    if not throttle.admits_reset(request, person.email) or not form.is_valid():
        return False
    form.save(
        request=request,
        use_https=request.is_secure(),
        email_template_name=BODY,
        subject_template_name=SUBJECT,
    )
    return True


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
    """Send a link to the address, if it is a person's and not too many were asked for; the answer is always the same."""

    template_name = FORM
    form_class = LinkForm
    email_template_name = BODY
    subject_template_name = SUBJECT
    extra_context = {
        "heading": "Reset the password",
        "lead": "We send a link to your e-mail address. It works once and for three days.",
        "button": "Send the link",
    }

    def form_valid(self, form: PasswordResetForm) -> HttpResponse:
        """Send it unless the address or the sender asked too often; nothing in the answer says which."""
        if throttle.admits_reset(self.request, form.cleaned_data["email"]):
            return super().form_valid(form)
        return HttpResponseRedirect(str(self.success_url))


class PasswordResetSent(views.PasswordResetDoneView):
    """Say that a link is on its way."""

    template_name = NOTE
    extra_context = {
        "heading": "Look into your mailbox",
        "text": "If the address belongs to somebody here, a link to set a new password is on its way.",
        "url": reverse_lazy("login"),
        "action": "Back to the sign-in page",
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
        "main": True,
    }


def _recorded(person: User, verb: str, origin: str) -> None:
    audit.record(actor=person, verb=verb, target=person, origin=origin)
