"""Signing in and out: the pages under /accounts/ that need nobody signed in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from teams import backend, demo
from teams.models import User


class SignInForm(AuthenticationForm):
    """E-mail and password; the address is taken in any letter case."""

    def clean_username(self) -> str:
        """Return the address in the one spelling under which it is stored and failures are counted."""
        return str(self.cleaned_data["username"]).strip().lower()


class SignIn(LoginView):
    """The sign-in page; in a demo it offers the demo people too."""

    template_name = "teams/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return the form and the demo people."""
        return super().get_context_data(**kwargs) | {"demo_people": demo.offered(self.request)}


@require_POST
def demo_sign_in(request: HttpRequest) -> HttpResponse:
    """Sign in as a demo person by one click; 404 unless this is a demo and the visitor sits at this machine."""
    emails = {person.email for person in demo.offered(request)}
    if request.POST.get("email") not in emails:
        raise Http404
    person = get_object_or_404(User, email=request.POST["email"], is_active=True, is_demo=True)
    login(request, person, backend=backend.PATH)
    return redirect(_safe_next(request))


def locked_out(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Answer 429 with the sign-in page that says to wait (django-axes calls this)."""
    minutes = round(settings.AXES_COOLOFF_TIME * 60)
    context = {"form": SignInForm(request), "locked": minutes * 60, "minutes": minutes}
    response = render(request, "teams/login.html", context, status=429)
    response.headers["Retry-After"] = str(minutes * 60)
    return response


def attempted_name(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """Return under which name django-axes counts a failure: letter case must not give new attempts."""
    given = (credentials or {}).get("username") or request.POST.get("username", "")
    return str(given).strip().lower()


def _safe_next(request: HttpRequest) -> str:
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return target if safe else resolve_url(settings.LOGIN_REDIRECT_URL)
