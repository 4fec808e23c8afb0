"""What is written a moment later: all of it, in order, in few transactions, and never in the way of a request."""

from __future__ import annotations

import os
import threading

import pytest
from django.conf import LazySettings

from monitoring import recorder
from monitoring.later import MOST_PENDING, Later
from monitoring.models import RecordedExchange
from monitoring.values import Answer, HttpRequest
from tests.fakes.prober import HEALTHY
from tests.monitoring.conftest import NOON, MakeService


def test_a_bunch_is_written_once_in_order() -> None:
    bunches: list[list[int]] = []
    written = threading.Event()

    def write(bunch: list[int]) -> None:
        bunches.append(bunch)
        written.set()

    later = Later(write)
    for number in range(5):
        later.put(number, seconds=0.05)
    assert bunches == []
    assert written.wait(10)
    later.put(5, seconds=60)
    later.flush()
    later.flush()
    assert bunches == [[0, 1, 2, 3, 4], [5]]


def test_what_is_too_much_pushes_out_the_oldest() -> None:
    bunches: list[list[int]] = []
    later = Later(bunches.append)
    for number in range(MOST_PENDING + 1):
        later.put(number, seconds=60)
    later.flush()
    assert (len(bunches[0]), bunches[0][0]) == (MOST_PENDING, 1)


def test_a_forked_child_does_not_write_what_its_parent_has_pending() -> None:
    bunches: list[list[int]] = []
    later = Later(bunches.append)
    later.put(1, seconds=60)
    child = os.fork()
    if child == 0:  # pragma: no cover - the child
        later.flush()
        os._exit(len(bunches))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    later.flush()
    assert bunches == [[1]]


@pytest.mark.django_db
def test_a_failed_exchange_is_written_at_once_after_the_good_ones_before_it(
    make_service: MakeService, settings: LazySettings
) -> None:
    settings.RECORDER_BUFFER_SECONDS = 60.0
    service = make_service()

    def keep(path: str, answer: Answer) -> None:
        request = HttpRequest(path=path)
        recorder.record(service=service, request=request, answer=answer, source="shop", now=NOON)

    keep("/a", HEALTHY)
    keep("/b", HEALTHY)
    assert not RecordedExchange.objects.exists()
    keep("/c", Answer(status=500, body=b"{}", elapsed_ms=5))
    kept = RecordedExchange.objects.order_by("id").values_list("path", "good")
    assert list(kept) == [("/a", True), ("/b", True), ("/c", False)]
