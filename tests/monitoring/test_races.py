"""Two workers at the same moment, on a database that really commits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.db import connection

from monitoring.claims import claim_due
from monitoring.models import HealthChange, Service, ServiceHealth
from monitoring.operations import record_exit
from monitoring.rollups import _add, _Tally
from monitoring.values import ProcessState
from tests.monitoring.conftest import NOON, MakeService

pytestmark = pytest.mark.django_db(transaction=True)
WORKERS = 4
T = TypeVar("T")


def at_once(work: Callable[[int], T]) -> list[T]:
    """Run the work in every worker, all released by one barrier, and return what each gave."""
    barrier = threading.Barrier(WORKERS)

    def run(number: int) -> T:
        barrier.wait(10)
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(run, range(WORKERS)))


def test_each_due_service_is_claimed_by_exactly_one_worker(
    transactional_db: None, make_service: MakeService
) -> None:
    wanted = {make_service(f"s{number}").pk for number in range(40)}
    claimed = at_once(lambda _number: claim_due(now=NOON, window=1.0))
    ids = [due.service_id for part in claimed for due in part]
    assert len(ids) == len(set(ids))
    rest = [due.service_id for due in claim_due(now=NOON, window=1.0)]
    assert set(ids) | set(rest) == wanted, "what a worker skipped, a later one finds"


def test_an_exit_that_everybody_sees_is_one_change(
    transactional_db: None, make_service: MakeService
) -> None:
    shop = make_service()
    ServiceHealth.objects.update(state="healthy")
    gone = ProcessState(phase="exited", signal=9)
    counts = at_once(lambda _number: record_exit(service_id=shop.pk, process=gone, now=NOON))
    assert sorted(counts) == [0, 0, 0, 1]
    assert HealthChange.objects.count() == 1


def test_minutes_of_several_workers_add_up(
    transactional_db: None, make_service: MakeService
) -> None:
    services = [make_service(f"s{number}") for number in range(5)]

    def add(number: int) -> None:
        order = services if number % 2 else services[::-1]
        _add({(one.pk, NOON): _Tally(count=3, failures=1, samples=[5.0]) for one in order})

    at_once(add)
    for one in Service.objects.all():
        (row,) = one.minutes.all()
        assert (row.count, row.failures, len(row.samples)) == (12, 4, 4)
