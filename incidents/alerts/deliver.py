"""Sends what waits in the outbox: claimed row by row, bundled in a burst, limited per channel, retried with back-off.

A process that is killed between sending and writing that down leaves its rows claimed; they are sent once more when the
claim has run out: over a network one can have "at least once" or "at most once", and a lost alarm is worse than two.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from incidents.models import Delivery, NotificationChannel
from incidents.ports import AnnounceError, Announcer
from incidents.values import Severity
from teams.sealing import CannotUnseal

BACK_OFF = (5, 30, 120, 600, 1800)  # seconds before the 2nd .. 6th attempt
CLAIM_SECONDS = 60
BUNDLE_FROM = 4
LARGEST_BUNDLE = 50
State = Delivery.State


def deliver_due(*, now: datetime, announcer: Announcer) -> int:
    """Send what is due; return how many messages were tried. Raises nothing for a receiver's fault."""
    ids = set(_due(now).values_list("channel_id", flat=True))
    channels = NotificationChannel.objects.filter(pk__in=ids, enabled=True)
    return sum(_deliver_channel(channel, announcer, now) for channel in channels)


def is_due(*, now: datetime) -> bool:
    """Say whether any message is to be sent now."""
    return _due(now).exists()


def _due(now: datetime) -> QuerySet[Delivery]:
    lost = Q(state=State.SENDING, claimed_until__lte=now)
    return Delivery.objects.filter(Q(state=State.WAITING) | lost, next_at__lte=now)


def _deliver_channel(channel: NotificationChannel, announcer: Announcer, now: datetime) -> int:
    free = room(channel, now)
    rows = _claimed(channel, now) if free > 0 else []
    together = len(rows) >= BUNDLE_FROM or len(rows) > free
    messages = [rows] if together else [[row] for row in rows]
    for number, message in enumerate(messages):
        at = now + timedelta(microseconds=number)  # one time a message: `room` counts them by it
        _send(channel, message, announcer, at)
    return len(messages) if rows else 0


def room(channel: NotificationChannel, now: datetime) -> int:
    """Return how many messages the channel may still carry in this minute."""
    recent = channel.deliveries.filter(sent_at__gt=now - timedelta(minutes=1))
    return channel.per_minute - recent.values("sent_at").distinct().count()


def _claimed(channel: NotificationChannel, now: datetime) -> list[Delivery]:
    """Claim what is due, each row by a guarded UPDATE, so that two workers never send the same."""
    until = now + timedelta(seconds=CLAIM_SECONDS)
    rows = []
    for row in _due(now).filter(channel=channel).order_by("id")[:LARGEST_BUNDLE]:
        free = _due(now).filter(pk=row.pk)
        if free.update(state=State.SENDING, claimed_until=until):
            row.state, row.claimed_until = State.SENDING, until
            rows.append(row)
    return rows


def _send(
    channel: NotificationChannel, rows: Sequence[Delivery], announcer: Announcer, at: datetime
) -> None:
    title, body, link = _wording(rows)
    severity = max((row.severity for row in rows), key=_rank)
    try:
        announcer.announce(
            address=channel.address,
            title=title,
            body=body,
            link=f"{settings.PUBLIC_URL}{link}",
            severity=severity,
        )
    except (AnnounceError, CannotUnseal) as error:
        permanent = getattr(error, "permanent", True)
        for row in rows:
            _failed(row, str(error), at, permanent=permanent)
        return
    for row in rows:
        row.settle(state=State.SENT, attempts=row.attempts + 1, sent_at=at, last_error="")


def _rank(severity: str) -> int:
    return Severity(severity).rank if severity else -1


def _wording(rows: Sequence[Delivery]) -> tuple[str, str, str]:
    """Return title, text and link of one message for one or many pieces of news."""
    if len(rows) == 1:
        return rows[0].title, rows[0].body, rows[0].link
    lines = [f"- {row.body} {settings.PUBLIC_URL}{row.link}" for row in rows]
    return f"AgentOps: {len(rows)} messages", "\n".join(lines), "/notifications/"


def _failed(row: Delivery, error: str, at: datetime, *, permanent: bool) -> None:
    """Put the row back for a later attempt, or give it up."""
    over = permanent or row.attempts >= len(BACK_OFF)
    changes: dict[str, Any] = {
        "state": State.FAILED if over else State.WAITING,
        "attempts": row.attempts + 1,
        "last_error": error[:500],
    }
    if not over:
        changes["next_at"] = at + timedelta(seconds=BACK_OFF[row.attempts])
    row.settle(**changes)


def prune(*, now: datetime) -> int:
    """Drop what ended long ago from the log; return how many rows."""
    old = now - timedelta(days=settings.DELIVERY_LOG_DAYS)
    ended = Delivery.objects.filter(state__in=[State.SENT, State.FAILED], created_at__lt=old)
    return ended.delete()[0]
