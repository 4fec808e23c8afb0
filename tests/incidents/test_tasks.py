"""The agent's periodic jobs: one message for all of them, and none starves for another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from celery_app import app
from incidents import tasks
from incidents.alerts import outbox
from incidents.models import NotificationChannel
from incidents.states import Step
from teams.models import User
from tests.incidents import rows

pytestmark = pytest.mark.django_db
Sent = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Collect what goes to the broker, at once instead of on commit."""
    found: Sent = []
    monkeypatch.setattr("incidents.queue._send", lambda *task: found.append(task))
    monkeypatch.setattr("incidents.queue.transaction.on_commit", lambda send: send())
    return found


def test_beat_names_tasks_that_exist() -> None:
    app.loader.import_default_modules()
    assert {str(entry["task"]) for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def test_a_job_that_fails_leaves_the_others_their_turn_and_is_raised(
    monkeypatch: pytest.MonkeyPatch, sent: Sent
) -> None:
    stalled = rows.incident(rows.shop(), step=Step.COLLECT)
    broken = ValueError("this one is broken")

    def fails(*, now: object) -> None:
        raise broken

    monkeypatch.setattr(tasks, "JOBS", (fails, *tasks.JOBS))
    with pytest.raises(ExceptionGroup) as raised:
        tasks.tend()
    assert raised.value.exceptions == (broken,)
    assert ("incidents.tasks.run_incident", (stalled.pk,)) in sent


def test_messages_are_sent_when_they_are_due_and_not_before(shweta: User, sent: Sent) -> None:
    channel = NotificationChannel(name="Ops")
    channel.set_address("json://hooks.example.com/x", shown="json://hooks.example.com/…")
    channel.save()
    row = outbox.post_test(channel, by="Shweta")
    sent.clear()
    later = timezone.now() + timedelta(minutes=1)
    type(row).objects.update(next_at=later)
    outbox.wake(now=later - timedelta(seconds=1))
    assert sent == []
    outbox.wake(now=later)
    assert sent == [(outbox.DELIVER, ())]
