"""The team page and one's own settings."""

from __future__ import annotations

import json

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from teams import audit, queries, tokens
from teams.access import AccessRefused, needs
from teams.forms import ProfileForm, TokenForm
from teams.higher import served
from teams.models import User
from teams.roles import Verb

WORK_FRAGMENT = (
    "/incidents/fragments/team-work/"  # a higher app fills it; this one only leaves room
)
ADDRESSES_FRAGMENT = "/notifications/addresses/"  # as above
PROFILE_FIELDS = ("display_name", "time_zone", "avatar_color")


@require_GET
@needs(Verb.VIEW)
def team(request: HttpRequest) -> HttpResponse:
    """Show who is in the team and who may do what."""
    return render(
        request, "teams/team.html", {"team": queries.team(), "work_url": served(WORK_FRAGMENT)}
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Verb.VIEW)
def profile(request: HttpRequest) -> HttpResponse:
    """Show and store one's own settings."""
    person = User.objects.get(
        pk=_self(request).pk
    )  # a refused form must not rename the page's header
    before = _settings_of(person)
    form = ProfileForm(request.POST or None, instance=person)
    if request.method != "POST" or not form.is_valid():
        return _profile_page(request, form=form)
    with transaction.atomic():
        person.save(update_fields=PROFILE_FIELDS)
        audit.record(
            actor=person,
            verb="user.profile_changed",
            target=person,
            before=before,
            after=_settings_of(person),
            origin=audit.origin_of(request),
        )
    messages.success(request, "Your settings are stored.")
    return redirect("teams:profile")


@never_cache
@require_POST
@needs(Verb.VIEW)
def issue_token(request: HttpRequest) -> HttpResponse:
    """Make an API token for oneself and show it in this answer only: it is stored nowhere in clear."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _profile_page(request, token_form=form)
    token = tokens.issue(_self(request), form.cleaned_data["name"], origin=audit.origin_of(request))
    return _profile_page(request, new_token=token)


@require_POST
@needs(Verb.VIEW)
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """End one of one's own tokens."""
    person = _self(request)
    token = get_object_or_404(person.api_tokens, pk=pk)
    if tokens.revoke(token, actor=person, origin=audit.origin_of(request)):
        messages.success(request, f"The token {token} is revoked.")
    return redirect("teams:profile")


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403 with the reason: a page, or for HTMX a fragment and a toast (handler403 of the site)."""
    context = {"exception": _sentence(exception)}
    if request.headers.get("HX-Request") != "true":
        return render(request, "403.html", context, status=403)
    response = render(request, "teams/refused_fragment.html", context, status=403)
    toast = {"text": context["exception"], "tone": "error"}
    response.headers["HX-Trigger"] = json.dumps({"toast": toast})  # ASCII: a header takes no more
    return response


def _sentence(exception: Exception) -> str:
    reason = str(exception) if isinstance(exception, AccessRefused) else ""
    return f"{reason[:1].upper()}{reason[1:]}." if reason else "Your role may not do this."


def _profile_page(
    request: HttpRequest,
    *,
    form: ProfileForm | None = None,
    token_form: TokenForm | None = None,
    new_token: str = "",
) -> HttpResponse:
    now = timezone.now()
    context = {
        "form": form or ProfileForm(instance=_self(request)),
        "token_form": token_form or TokenForm(),
        "tokens": [token for token in _self(request).api_tokens.all() if token.is_valid(now)],
        "new_token": new_token,
        "addresses_url": served(ADDRESSES_FRAGMENT),
    }
    return render(request, "teams/profile.html", context)


def _self(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - `needs` stands before every caller
    return request.user


def _settings_of(person: User) -> dict[str, str]:
    return {name: getattr(person, name) for name in PROFILE_FIELDS}
