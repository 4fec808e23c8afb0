"""What the console's first page shows: how services, agent, queue, vendors and messages are."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from agentops_site import broker, vendors
from incidents.models import AgentState, Delivery, Incident
from incidents.queries import shell
from incidents.states import WAITING, WORKING
from monitoring.models import Service
from teams import access
from teams.models import User
from teams.roles import Verb

SERVICES_SHOWN = 30


def context(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Return the context of the console's first page: a constant number of queries and one look at the broker."""
    verbs = access.allowed_verbs(request.user) if isinstance(request.user, User) else set()
    now = timezone.now()
    queue = broker.state()
    return given | {
        "dash": {
            "agent": shell.agent(),
            "paused": AgentState.now().paused,
            "may_pause": Verb.PAUSE_AGENT in verbs,
            "services": _services(),
            "working": Incident.objects.filter(status__in=WORKING).count(),
            "waiting": Incident.objects.filter(status__in=WAITING).count(),
            "broker": queue.answers,
            "queues": [_queue(queue, name) for name in broker.QUEUES],
            "vendors": vendors.overview(now=now),
            "undelivered": Delivery.objects.filter(
                state=Delivery.State.FAILED, created_at__gte=now - timedelta(days=1)
            ).count(),
        }
    }


def _services() -> list[dict[str, Any]]:
    rows = Service.objects.select_related("health").order_by("name")[:SERVICES_SHOWN]
    return [
        {
            "pk": row.pk,
            "name": row.name,
            "state": getattr(getattr(row, "health", None), "state", "unknown"),
            "autonomy": row.get_autonomy_display(),
            "note": _note(row),
        }
        for row in rows
    ]


def _note(row: Service) -> str:
    notes = [
        (not row.enabled, "not watched"),
        (row.paused, "the agent is paused here"),
        (row.in_maintenance, f"in maintenance until {row.maintenance_until:%H:%M} UTC" if row.in_maintenance else ""),
    ]  # fmt: skip
    return ", ".join(words for holds, words in notes if holds)


def _queue(state: broker.BrokerState, name: str) -> dict[str, Any]:
    return {"name": name, "alive": state.alive[name], "waiting": state.waiting.get(name)}
