"""Notifications in the product: each person is told each thing once, and a burst is one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from incidents.alerts import outbox
from incidents.alerts.outbox import News
from incidents.models import Incident, Notification, NotificationPreference
from monitoring.realtime import publish
from teams.models import User

LOUDEST = NotificationPreference()
"""What holds for a person who never chose: everything, at any hour."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A person with what they want to hear; `quiet_until` is set while only a blocker may break in."""

    person: User
    quiet_until: datetime | None = None


def tell(people: Iterable[User], *, incident: Incident, kind: str, text: str, key: str) -> int:
    """Tell each person once of something on the incident's page, and the team's channels; see `tell_news`."""
    news = News(incident=incident, kind=kind, text=text, link=incident.path, key=key)
    return tell_news(people, news)


def tell_news(people: Iterable[User], news: News) -> int:
    """Tell each person once, and the team's channels; a repeated `key` is dropped. Returns how many rows are new."""
    now = timezone.now()
    readers = _readers({person.pk: person for person in people}, news, now)
    with transaction.atomic():
        fresh = _unheard(readers, news)
        heads = _unread_heads([reader.person.pk for reader in fresh], news.kind, now)
        Notification.objects.bulk_create(
            [_row(reader, news, heads.get(reader.person.pk), now) for reader in fresh],
            ignore_conflicts=True,
        )
        outbox.post(news, {r.person.pk: r.quiet_until or now for r in fresh}, now=now)
        awake = [reader.person.pk for reader in fresh if reader.quiet_until is None]
        if awake:
            publish("bell", {"people": awake})
    return len(fresh)


def _readers(people: dict[int, User], news: News, now: datetime) -> list[Reader]:
    """Return those who want to hear of it, at what time of their day."""
    chosen = NotificationPreference.objects.filter(person__in=people)
    wishes = {row.person_id: row for row in chosen}
    readers = []
    for pk, person in people.items():
        wish = wishes.get(pk, LOUDEST)
        if person.is_admitted and wish.wants(news.kind, news.incident.severity):
            quiet = wish.quiet_end(now, person.time_zone, news.incident.severity)
            readers.append(Reader(person=person, quiet_until=quiet))
    return readers


def _unheard(readers: Sequence[Reader], news: News) -> list[Reader]:
    people = [reader.person.pk for reader in readers]
    told = Notification.objects.filter(person__in=people, key=news.key[:120])
    known = set(told.values_list("person_id", flat=True))
    return [reader for reader in readers if reader.person.pk not in known]


def _unread_heads(people: Sequence[int], kind: str, now: datetime) -> dict[int, int]:
    """Return for people in a burst of one kind the unread row under which what comes next is put.

    Kinds are not mixed: a question would else vanish among reports.
    """
    since = now - timedelta(seconds=settings.NOTIFY_BURST_SECONDS)
    recent = Notification.objects.filter(
        person__in=people, kind=kind, at__gte=since, bundle=None, read_at=None
    ).values_list("person_id", "id")
    rows: dict[int, list[int]] = {}
    for person, pk in recent.order_by("-id"):
        rows.setdefault(person, []).append(pk)
    return {
        person: ids[0] for person, ids in rows.items() if len(ids) >= settings.NOTIFY_BURST_SIZE
    }


def _row(reader: Reader, news: News, head: int | None, now: datetime) -> Notification:
    return Notification(
        person=reader.person,
        incident=news.incident,
        kind=news.kind,
        severity=news.incident.severity,
        text=news.text[:400],
        link=news.link,
        key=news.key[:120],
        at=now,
        bundle_id=head,
        read_at=now if head else None,
    )


def mark_read(*, person: User, ids: Sequence[int] | None, now: datetime) -> int:
    """Mark some or (None) all of a person's notifications as read; return how many were not."""
    unread = Notification.objects.filter(person=person, read_at=None)
    marked = (unread if ids is None else unread.filter(pk__in=ids)).update(read_at=now)
    if marked:
        publish("bell", {"people": [person.pk]})
    return marked
