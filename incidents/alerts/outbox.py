"""Messages for the channels outside: written with what they tell of, sent later by a job of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from incidents import queue
from incidents.alerts import deliver
from incidents.engine.redaction import redact
from incidents.models import Delivery, Incident, Kind, NotificationChannel

DELIVER = "incidents.tasks.deliver_messages"


@dataclass(frozen=True, kw_only=True)
class News:
    """One thing to tell. `link` is a path; `key` names the thing, so that it is told once."""

    incident: Incident
    kind: str
    text: str
    link: str
    key: str


def post(news: News, personal: Mapping[int, datetime], *, now: datetime) -> None:
    """Queue the news for the team's channels, and for the own channels of `personal` (person id -> not before).

    Runs inside the caller's transaction: what is told and what goes out stand or fall together.
    """
    channels = NotificationChannel.objects.filter(enabled=True)
    wanted = channels.filter(person=None) | channels.filter(person__in=personal)
    rows = [
        _delivery(news, channel, personal.get(channel.person_id or 0, now))
        for channel in wanted
        if channel.carries(news.kind, news.incident.severity)
    ]
    if rows:
        Delivery.objects.bulk_create(rows, ignore_conflicts=True)
        queue.enqueue(DELIVER)


def wake(*, now: datetime) -> None:
    """Have sent what became due without a hint: what waits for its next attempt, and what a killed worker left."""
    if deliver.is_due(now=now):
        queue.enqueue(DELIVER)


def _delivery(news: News, channel: NotificationChannel, not_before: datetime) -> Delivery:
    incident = news.incident
    known = {name: str(value) for name, value in incident.service.environment.items()}
    return Delivery(
        channel=channel,
        incident=incident,
        kind=news.kind,
        severity=incident.severity,
        title=f"[{incident.severity}] {incident.service.name}: {Kind(news.kind).label}"[:200],
        body=redact(news.text, known),
        link=news.link,
        key=news.key[:140],
        next_at=not_before,
    )


def post_test(channel: NotificationChannel, *, by: str) -> Delivery:
    """Queue a test message for one channel; how it went stands in the delivery log."""
    now = timezone.now()
    row = Delivery.objects.create(
        channel=channel,
        kind=Kind.TEST,
        title="AgentOps: a test message",
        body=f"{by} tried the channel “{channel.name}”. It works when you read this.",
        link="/notifications/",
        key=f"test:{now.isoformat()}",
    )
    queue.enqueue(DELIVER)
    return row
