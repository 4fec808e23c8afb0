"""What restarts have hidden, with the trend, as the API shows it."""

from __future__ import annotations

from typing import Any

from incidents.models import Debt


def open_debts() -> list[Debt]:
    """Return what is owed, the latest first."""
    return list(Debt.objects.filter(settled_at=None, restarts__gte=2).select_related("service"))


def debt_json(debt: Debt) -> dict[str, Any]:
    """Return one debt; `trend` counts the restarts of each day (UTC), the oldest first."""
    trend: dict[str, int] = {}
    for moment in debt.history:
        day = moment[:10]
        trend[day] = trend.get(day, 0) + 1
    return {
        "id": debt.pk,
        "service": debt.service.slug,
        "fingerprint": debt.fingerprint,
        "title": debt.title,
        "restarts": debt.restarts,
        "state": "settled" if debt.settled_at else "frozen" if debt.freezes else "asks",
        "opened_at": debt.opened_at,
        "last_at": debt.last_at,
        "history": debt.history,
        "trend": [{"day": day, "restarts": count} for day, count in trend.items()],
        "settled_at": debt.settled_at,
    }
