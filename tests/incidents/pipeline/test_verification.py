"""How long a deployed fix is looked at, and what is kept of the looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from incidents.models import Incident
from incidents.pipeline import verify
from incidents.pipeline.tools import Tools
from monitoring.values import Answer, HttpRequest, ServiceSpec
from tests.incidents import rows

pytestmark = pytest.mark.django_db


class Target:
    """A service whose every answer, and every wait for the next look, takes one second of a clock of its own."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.now = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
        self.asked = 0

    def request(self, spec: ServiceSpec, request: HttpRequest, timeout: float) -> Answer:
        self.asked += 1
        self.wait(1)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return Answer(status=status, body=b"{}", elapsed_ms=5)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=1)

    def tools(self) -> Tools:
        parts: Any = {"diagnosticians": (), "fix_writers": (), "reviewers": (), "sandbox": None}
        reader = cast(Any, lambda _spec: self)
        return Tools(**parts, reader=reader, writer=reader, now=lambda: self.now, wait=self.wait)


@pytest.fixture
def incident() -> Incident:
    return rows.asked(rows.shop(successes_before_recovery=2))


def test_it_has_to_be_well_several_times_in_a_row(incident: Incident) -> None:
    target = Target(200, 500, 200, 200)
    checks, healthy = verify._probe_until_healthy(incident, target.tools())
    assert healthy
    assert len(checks) == 4


def test_the_last_looks_are_kept_and_no_more(incident: Incident, settings: Any) -> None:
    settings.VERIFY_TIMEOUT_SECONDS = 100.0
    target = Target(500)
    checks, healthy = verify._probe_until_healthy(incident, target.tools())
    assert not healthy
    assert target.asked > verify.CHECKS_KEPT
    assert len(checks) == verify.CHECKS_KEPT


def test_however_short_the_time_is_it_looks_once(incident: Incident, settings: Any) -> None:
    settings.VERIFY_TIMEOUT_SECONDS = 0.0
    checks, healthy = verify._probe_until_healthy(incident, Target(500).tools())
    assert not healthy
    assert len(checks) == 1
