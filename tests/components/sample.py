"""Sample data for templates/components/gallery.html, in the shapes that the partials document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString

from incidents.states import Status

NOW = datetime(2026, 11, 22, 3, 4, 5, tzinfo=UTC)
SEVERITIES = ["blocker", "critical", "high", "medium", "low"]
POINTS = "0,12 10,9 20,11 30,5 40,8 50,3 60,6"
STEPS = ["Detect", "Diagnose", "Fix", "Prove", "Review", "Deploy", "Verify"]


class SampleForm(forms.Form):
    """Show a field with help, one with an error and a choice."""

    reason = forms.CharField(help_text="The team reads it on the timeline.", widget=forms.Textarea)
    email = forms.EmailField(label="E-mail")
    severity = forms.ChoiceField(choices=[(s, s.capitalize()) for s in SEVERITIES], required=False)


def _flow(states: str) -> list[dict[str, Any]]:
    names = {"d": "done", "r": "running", "w": "waiting", "a": "asked", "f": "failed"}
    return [
        {
            "key": label.lower(),
            "label": label,
            "state": names[state],
            "at": NOW if state == "r" else None,
            "took": "1.2 s" if state == "d" else "",
        }
        for label, state in zip(STEPS, states, strict=True)
    ]


def _line(number: int, text: str, *, marked: bool = False) -> dict[str, Any]:
    return {"number": number, "html": format_html("{}", text), "marked": marked}


def _row(kind: str, old: str, new: str, html: SafeString) -> dict[str, Any]:
    return {"kind": kind, "old": old, "new": new, "html": html}


def _side(kind: str, number: str, text: str) -> dict[str, Any]:
    return {"kind": kind, "number": number, "html": format_html("{}", text)}


def _diff() -> list[dict[str, Any]]:
    return [
        _row("hunk", "", "", format_html("{}", "@@ -39,4 +39,5 @@ def checkout")),
        _row("context", "39", "39", format_html("{}", "    items = cart.items()")),
        _row("delete", "40", "", format_html("    total = {}<del>{}</del>", "price", " / count")),
        _row("add", "", "40", format_html("    total = {}<ins>{}</ins>", "price", " * count")),
        _row("add", "", "41", format_html("{}", "    log.info('checkout of %s', len(items))")),
        _row("context", "41", "42", format_html("{}", "    return total")),
    ]


def _split() -> list[dict[str, Any]]:
    return [
        {"hunk": "@@ -1,2 +1,2 @@"},
        {"left": _side("context", "1", "{"), "right": _side("context", "1", "{")},
        {
            "left": _side("delete", "2", '  "tax": 0.'),
            "right": _side("add", "2", '  "tax": 0.19'),
        },
    ]


def _incident(number: int, title: str, severity: str, status: str) -> dict[str, Any]:
    return {"number": number, "title": title, "severity": severity, "status": status, "at": NOW}


def _entry(number: int, icon: str, tone: str, text: str) -> dict[str, Any]:
    at = NOW + timedelta(seconds=number)
    return {"id": number, "at": at, "icon": icon, "tone": tone, "text": text, "actor": "Agent"}


def _services() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "url": f"/services/{name}/",
            "health": health,
            "latency": latency,
            "points": POINTS,
        }
        for name, health, latency in [
            ("shop", "degraded", "212 ms"),
            ("search", "healthy", "12 ms"),
        ]
    ]


def _people() -> list[SimpleNamespace]:
    return [
        SimpleNamespace(initials=f"P{n}", avatar_color=f"avatar-{n}", name=f"Person {n}")
        for n in range(1, 9)
    ]


def _nav() -> list[dict[str, Any]]:
    names = ["Incidents", "Services", "Live", "Analytics", "Reports", "Learning", "Team"]
    items: list[dict[str, Any]] = [
        {"label": name, "url": f"/{name.lower()}/", "icon": name.lower()} for name in names
    ]
    items[0] |= {"current": True, "count": 2}
    return [*items, {"label": "Notifications", "url": "/notifications/", "icon": "bell"}]


def shell() -> dict[str, Any]:
    """Return what the context processors give to every page."""
    person = SimpleNamespace(
        is_authenticated=True,
        is_staff=True,
        name="Shweta",
        initials="SH",
        avatar_color="avatar-3",
        get_role_display="team lead",
    )
    return {
        "user": person,
        "demo_mode": True,
        "nav_items": _nav(),
        "header_services": _services(),
        "header_agent": {"state": "healing", "label": "Healing shop", "url": "/"},
        "unread_count": 3,
    }


def _records() -> dict[str, Any]:
    return {
        "incidents": [
            _incident(41, "Checkout answers 500: division by zero", "blocker", "AWAITING_APPROVAL"),
            _incident(40, "Product list takes 4.1 s", "medium", "VERIFYING"),
        ],
        "services": _services(),
        "entries": [
            _entry(1, "detect", "warn", "opened the incident"),
            _entry(2, "prove", "ok", "proved the fix: 3 of 3 requests pass"),
            _entry(3, "hand", "ask", "asks a team lead"),
        ],
        "terms": [
            {"label": "Base", "value": "+0.50", "earned": True},
            {"label": "Trial passed", "value": "+0.15", "note": "3 of 3", "earned": True},
            {"label": "Claude answered", "value": "0", "note": "built-in engine", "earned": False},
        ],
        "pairs": [("Since", "03:04:05"), ("Impact", "18 of 40 requests failed"), ("Owner", "Yash")],
        "stats": [
            {"label": "Resolved", "value": "96 %", "note": "48 of 50", "points": POINTS},
            {"label": "Median to repair", "value": "41 s", "note": "p90 3 min", "points": ""},
            {"label": "Without a person", "value": "62 %", "note": "31 of 50", "points": ""},
        ],
    }


def _evidence() -> dict[str, Any]:
    return {
        "flow_running": _flow("dddrwww"),
        "flow_asked": _flow("dddfaww"),
        "code_lines": [
            _line(40, "def checkout(cart):"),
            _line(41, "    total = price / count", marked=True),
            _line(42, "    return total"),
        ],
        "diff_rows": _diff(),
        "split_rows": _split(),
        "line_one": "0,80 100,70 200,75 300,40 400,60 500,50 600,58",
        "line_two": "0,60 100,50 200,45 300,12 400,35 500,30 600,28",
        "days": [
            {"date": f"day {n}", "state": "down" if n == 60 else "healthy", "text": "", "x": n * 4}
            for n in range(90)
        ],
    }


def gallery() -> dict[str, Any]:
    """Return the whole context of the gallery."""
    return {
        **shell(),
        **_records(),
        **_evidence(),
        "severities": SEVERITIES,
        "statuses": [status.value for status in Status],
        "healths": ["healthy", "degraded", "down", "unknown"],
        "people": _people(),
        "form": SampleForm({"reason": "", "email": "nobody", "severity": "low"}),
        "tones": ["info", "ok", "warn", "danger", "ask"],
        "views": [
            {"label": "Unified", "url": "?view=u", "current": True},
            {"label": "Side by side", "url": "?view=s"},
        ],
        "tabs": [
            {"label": "Evidence", "url": "?tab=e", "current": True, "count": 4},
            {"label": "Discussion", "url": "?tab=d"},
        ],
    }


def shop() -> dict[str, Any]:
    """Return the context of the storefront's gallery."""
    names = [("Trail boot", "129.00", 3), ("Day pack", "89.00", 40), ("Rain shell", "149.00", 12)]
    return {
        "demo_mode": True,
        "cart_count": 2,
        "shop_notice": "The shop is being repaired: you see the catalogue as of 03:04.",
        "products": [{"name": name, "price": price, "stock": n} for name, price, n in names],
    }
