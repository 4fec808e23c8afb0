"""What the shell of every page needs.

Values are functions that the template calls: a swapped fragment, which shows no shell, costs no query.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from agentops_site.hearing import unheard
from incidents.queries import shell as reads
from teams.higher import served
from teams.models import User

NAVIGATION = [
    ("Incidents", "/", "incidents"),
    ("Services", "/services/", "services"),
    ("Live", "/live/", "live"),
    ("Analytics", "/analytics/", "analytics"),
    ("Reports", "/reports/", "reports"),
    ("Learning", "/learning/", "learning"),
    ("Team", "/team/", "team"),
    ("Notifications", "/notifications/", "bell"),
]


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return what header, navigation and banner show; for signed-in people only, and counted when used."""
    common = {"demo_mode": settings.DEMO_MODE}
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return common
    return common | {
        "nav_items": partial(_navigation, request.path),
        "header_services": reads.header_services,
        "header_agent": reads.agent,
        "voice_player": partial(unheard, user),
        "unread_count": partial(reads.unread, user.pk),
        "header_health_url": _address("incidents:header_health"),
        "agent_state_url": _address("incidents:header_agent"),
        "bell_url": _address("incidents:header_bell"),
    }


def _navigation(path: str) -> list[dict[str, Any]]:
    waiting = reads.waiting()
    return [
        {
            "label": label,
            "url": url,
            "icon": icon,
            "current": _is_current(url, path),
            "count": waiting if url == "/" else 0,
        }
        for label, url, icon in NAVIGATION
        if _is_served(url)
    ]


def _is_current(url: str, path: str) -> bool:
    return path == "/" or path.startswith("/incidents/") if url == "/" else path.startswith(url)


@cache
def _is_served(url: str) -> bool:
    """Tell whether a page lives there: an app may be taken out, and its entry goes with it."""
    return bool(served(url))


@cache
def _address(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
