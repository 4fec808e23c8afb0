"""The public status page: what anybody may know of the services, in plain words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from monitoring import uptime
from monitoring.models import Service
from monitoring.pages import percent
from monitoring.uptime import Day

WORDS = {
    "healthy": "Working normally",
    "degraded": "Working, but slow or failing in places",
    "down": "Not working",
    "unknown": "Not known at present",
}
BAR = 4


def overview(*, now: datetime) -> dict[str, Any]:
    """Return the headline and every enabled service; nothing internal: no address, error, file or person."""
    services = list(Service.objects.filter(enabled=True).select_related("health").order_by("name"))
    days = uptime.days_of(services, now=now)
    rows = [_row(one, days[one.pk], now) for one in services]
    return {"services": rows, "headline": _headline(rows), "at": now}


def _row(service: Service, days: list[Day], now: datetime) -> dict[str, Any]:
    health = getattr(service, "health", None)
    state = health.state if health else "unknown"
    share = uptime.share(days)
    in_maintenance = service.maintenance_until is not None and service.maintenance_until > now
    return {
        "name": service.name,
        "slug": service.slug,
        "state": state,
        "words": "Planned maintenance" if in_maintenance else WORDS[state],
        "since": health.since if health and state != "unknown" else None,
        "share": percent(share),
        "label": f"Uptime of {service.name}, {uptime.DAYS} days: {percent(share)}",
        "days": [_bar(day, place) for place, day in enumerate(days)],
    }


def _bar(day: Day, place: int) -> dict[str, Any]:
    return {
        "date": f"{day.start:%-d %b}",
        "state": day.state,
        "text": _day_words(day),
        "x": place * BAR,
    }


def _day_words(day: Day) -> str:
    if not day.watched:
        return "not watched"
    words = percent(uptime.share([day]))
    return f"{words}, down for {_duration(day.down)}" if day.down else words


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _headline(rows: list[dict[str, Any]]) -> dict[str, str]:
    states = {row["state"] for row in rows}
    down = [row["name"] for row in rows if row["state"] == "down"]
    if down:
        verb = "is" if len(down) == 1 else "are"
        return {"tone": "danger", "text": f"{_listed(down)} {verb} not working"}
    if "degraded" in states:
        return {"tone": "warn", "text": "Some things are slow or failing"}
    if states <= {"unknown"}:
        return {"tone": "info", "text": "Nothing is known yet"}
    return {"tone": "ok", "text": "Everything is working"}


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
