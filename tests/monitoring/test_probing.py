"""One message that probes for several seconds: nothing overlaps, nothing waits for a hung service, nothing delays a stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import pytest
from celery.signals import worker_shutting_down
from django.conf import LazySettings
from django.db import connections
from django.utils import timezone

from celery_app import KEEP_PROBING, app
from monitoring import claims, probing, staying
from monitoring.models import Service, ServiceHealth
from monitoring.ports import Call
from monitoring.staying import Stay
from monitoring.values import Answer
from shop import tasks as shop_tasks
from tests.fakes.prober import HEALTHY
from tests.monitoring.conftest import MakeService


class OneHangs:
    """Answers all but one address at once; that one when the test lets it."""

    def __init__(self, hanging: Service) -> None:
        self.hanging = hanging.spec().base_url
        self.asked = threading.Event()
        self.let_go = threading.Event()

    def ask(self, calls: Sequence[Call], on_answer: Callable[[Call, Answer], None]) -> None:
        for call in sorted(calls, key=lambda one: one.base_url == self.hanging):
            if call.base_url == self.hanging:
                self.asked.set()
                assert self.let_go.wait(20)
            on_answer(call, HEALTHY)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> None:
    """Make a turn 20 ms long, and let no thread keep a connection to the test's database."""
    monkeypatch.setattr(probing, "STAY", Stay(every=0.02, turns=50))
    monkeypatch.setattr(probing, "close_old_connections", connections.close_all)


@pytest.fixture
def worker_stops() -> Iterator[Callable[[], None]]:
    """Say what a worker says when it is told to stop, and take it back at the end."""

    def say() -> None:
        worker_shutting_down.send(sender=None)

    yield say
    staying._stopping.clear()


@pytest.mark.parametrize(
    ("task", "stay"), [(KEEP_PROBING, probing.STAY), ("shop.tasks.serve_orders", shop_tasks.STAY)]
)
def test_beat_sends_a_message_when_the_turns_of_the_last_are_over(task: str, stay: Stay) -> None:
    sent = [one for one in app.conf.beat_schedule.values() if one["task"] == task]
    assert [one["schedule"] for one in sent] == [stay.seconds]


def test_a_pass_reaches_beyond_the_next_turn() -> None:
    assert probing.STAY.every < probing.WINDOW_SECONDS


def test_a_newer_message_takes_the_turns_over() -> None:
    stay = Stay(every=0.05, turns=1000)
    first, second = stay.turns_of_a_message(), stay.turns_of_a_message()
    next(first)
    next(second)
    assert list(first) == []
    next(second)  # and goes on


def test_a_turn_that_took_long_is_followed_by_the_next_on_time_and_not_by_those_it_missed() -> None:
    stay = Stay(every=0.05, turns=4)
    made = []
    for _ in stay.turns_of_a_message():
        made.append(time.monotonic())
        if len(made) == 1:
            threading.Event().wait(0.12)
    assert len(made) <= 3


def test_a_stop_ends_the_turns_at_once(worker_stops: Callable[[], None]) -> None:
    turns = Stay(every=60.0, turns=2).turns_of_a_message()
    next(turns)
    worker_stops()
    began = time.monotonic()
    assert list(turns) == []
    assert time.monotonic() - began < 30


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("runtime", "quick")
def test_a_service_that_hangs_holds_up_neither_the_next_second_nor_the_next_message(
    make_service: MakeService, settings: LazySettings, worker_stops: Callable[[], None]
) -> None:
    good, hung = make_service("good", port=9101), make_service("hung", port=9102)
    ServiceHealth.objects.update(next_due_at=timezone.now())
    prober = settings.MONITORING_PROBER = OneHangs(hung)
    message = threading.Thread(target=probing.keep_probing)
    message.start()
    try:
        assert prober.asked.wait(20)
        _until(lambda: ServiceHealth.objects.get(service=good).probes == 41)
        ServiceHealth.objects.filter(service=good).update(next_due_at=timezone.now())
        _until(lambda: ServiceHealth.objects.get(service=good).probes == 42)
        assert ServiceHealth.objects.get(service=hung).probes == 40
        worker_stops()
    finally:
        prober.let_go.set()
        message.join(20)
    assert not message.is_alive()
    assert ServiceHealth.objects.get(service=hung).probes == 41, (
        "its answer is written all the same"
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("runtime", "quick")
def test_nothing_is_claimed_while_nothing_is_due(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_service()
    ServiceHealth.objects.update(next_due_at=timezone.now() + timedelta(hours=1))
    monkeypatch.setattr(probing, "STAY", Stay(every=0.001, turns=3))
    monkeypatch.setattr(claims, "transaction", None)  # no pass may begin one
    probing.keep_probing()
    assert ServiceHealth.objects.get().probes == 40


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    waiting = threading.Event()
    while not holds():
        assert time.monotonic() < end
        waiting.wait(0.01)
