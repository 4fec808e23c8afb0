"""How the management console looks: settings of django-unfold."""

from __future__ import annotations

from django.http import HttpRequest
from django.templatetags.static import static


def _style(request: HttpRequest) -> str:
    return static("css/console.css")


UNFOLD = {
    "SITE_TITLE": "AgentOps",
    "SITE_HEADER": "AgentOps",
    "SITE_SUBHEADER": "Management console",
    "SITE_URL": "/",
    "SITE_SYMBOL": "monitor_heart",
    "SITE_FAVICONS": [
        {"rel": "icon", "href": "/static/icons/favicon.svg", "type": "image/svg+xml"}
    ],
    "STYLES": [_style],
    "SHOW_HISTORY": False,
    "ENVIRONMENT": None,
    "DASHBOARD_CALLBACK": "agentops_site.dashboard.context",
    "SIDEBAR": {"show_search": True, "show_all_applications": True},
    # The accent of our own pages (static/css/tokens.css), so that the console looks like one product with them.
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .012 215)",
            "100": "oklch(94% .028 215)",
            "200": "oklch(89% .05 215)",
            "300": "oklch(83% .08 215)",
            "400": "oklch(76% .1 215)",
            "500": "oklch(70% .1 215)",
            "600": "oklch(46% .085 218)",
            "700": "oklch(41% .075 218)",
            "800": "oklch(36% .065 218)",
            "900": "oklch(31% .055 218)",
            "950": "oklch(24% .045 218)",
        }
    },
}
