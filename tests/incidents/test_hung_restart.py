"""How long a restart may wait for the old process: the usual time, unless the service answers nobody."""

from __future__ import annotations

from typing import Any, cast

import pytest
from django.utils import timezone

from incidents.pipeline.tools import Tools
from incidents.pipeline.undo import restart
from monitoring.models import Service, ServiceHealth
from monitoring.values import Health, ProcessState, ServiceSpec, Symptom
from tests.incidents import rows

pytestmark = pytest.mark.django_db


class Restarted:
    """Notes for each restart whether the process was called hung."""

    def __init__(self) -> None:
        self.hung: list[bool] = []

    def restart(self, spec: ServiceSpec, *, hung: bool = False) -> ProcessState:
        self.hung.append(hung)
        return ProcessState(phase="running", pid=2)

    def tools(self) -> Tools:
        parts: Any = {"diagnosticians": (), "fix_writers": (), "reviewers": (), "sandbox": None}
        one = cast(Any, self)
        return Tools(**parts, reader=lambda _spec: one, writer=lambda _spec: one)


def stands(service: Service, state: Health, symptom: Symptom, path: str) -> None:
    ServiceHealth.objects.update_or_create(
        service=service,
        defaults={
            "state": state,
            "since": timezone.now(),
            "verdict": {"symptom": symptom, "path": path, "health": state},
        },
    )


@pytest.mark.parametrize(
    ("state", "symptom", "path", "hung"),
    [
        (Health.DOWN, Symptom.TIMEOUT, "/health", True),
        (Health.DOWN, Symptom.TIMEOUT, "/api/orders", False),  # the others may be in hand
        (Health.DEGRADED, Symptom.SLOW, "/health", False),  # its answers do come
        (Health.HEALTHY, Symptom.TIMEOUT, "/health", False),  # it was long ago
    ],
)
def test_only_a_service_whose_health_never_comes_is_called_hung(
    state: Health, symptom: Symptom, path: str, hung: bool
) -> None:
    service, target = rows.shop(), Restarted()
    stands(service, state, symptom, path)
    restart(service, target.tools())
    assert target.hung == [hung]


def test_a_service_that_was_never_probed_gets_the_usual_time() -> None:
    target = Restarted()
    restart(rows.shop(), target.tools())
    assert target.hung == [False]
