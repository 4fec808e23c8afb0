"""Running durations as the script of the pages shows them, so that nothing moves when it takes over."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone

from incidents.queries.words import duration

register = template.Library()


@register.filter
def running(since: datetime) -> str:
    """Return how long it has been going on, in whole seconds below a minute: "6 s", "3 min 05 s", "2 h 10 min"."""
    seconds = max(0, int((timezone.now() - since).total_seconds()))
    return f"{seconds} s" if seconds < 60 else duration(seconds)
