"""Minutes instead of probes, and the end of what is old."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitoring import rollups
from monitoring.models import HealthChange, ProbeMinute
from monitoring.values import Health, Verdict
from tests.monitoring.conftest import NOON, MakeService


def verdict(latency: float, health: Health = Health.HEALTHY) -> Verdict:
    return Verdict(health=health, status=200, latency_ms=latency)


def test_probes_of_a_minute_become_one_row(make_service: MakeService) -> None:
    shop = make_service()
    for latency in range(1, 21):
        rollups.count([(shop.pk, NOON + timedelta(seconds=latency), verdict(latency))])
    rollups.count([(shop.pk, NOON, verdict(0, Health.DOWN))])
    rollups.count([(shop.pk, NOON, verdict(0, Health.UNKNOWN))])
    rollups.flush()
    row = ProbeMinute.objects.get()
    assert (row.minute, row.count, row.failures) == (NOON, 21, 1)
    assert (row.p50_ms, row.p95_ms) == (10, 19)


def test_a_second_flush_adds_to_the_minute(make_service: MakeService) -> None:
    shop = make_service()
    for latency in (10, 30):
        rollups.count([(shop.pk, NOON, verdict(latency))])
        rollups.flush()
    row = ProbeMinute.objects.get()
    assert (row.count, row.p50_ms, row.p95_ms) == (2, 10, 30)


def test_nothing_to_write_writes_nothing(db: None) -> None:
    assert rollups.flush() == 0


@pytest.mark.parametrize(
    ("samples", "share", "value"),
    [([], 50, 0), ([7], 95, 7), ([3, 1, 2], 50, 2), (list(range(1, 101)), 95, 95)],
)
def test_percentiles_are_nearest_rank(samples: list[float], share: float, value: float) -> None:
    assert rollups.percentile(samples, share) == value


def test_old_rows_go_and_unconsumed_changes_stay(make_service: MakeService) -> None:
    shop = make_service()
    for days in (0, 8):
        ProbeMinute.objects.create(service=shop, minute=NOON - timedelta(days=days))
    old = NOON - timedelta(days=100)
    for consumed in (None, old):
        HealthChange.objects.create(
            service=shop, before="healthy", after="down", at=old, consumed_at=consumed
        )
    rollups.prune(now=NOON)
    assert ProbeMinute.objects.get().minute == NOON
    assert HealthChange.objects.get().consumed_at is None


def test_a_service_that_is_gone_by_the_time_of_writing_stops_nobody(
    make_service: MakeService,
) -> None:
    shop, gone = make_service(), make_service("gone")
    rollups.count([(one.pk, NOON, verdict(5)) for one in (shop, gone)])
    gone.delete()
    rollups.flush()
    assert [row.service_id for row in ProbeMinute.objects.all()] == [shop.pk]
