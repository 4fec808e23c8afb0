"""What the shell of every page needs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the demo flag for the banner of every page."""
    return {"demo_mode": settings.DEMO_MODE}
