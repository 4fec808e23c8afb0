"""Each fault of the catalogue is judged as bad as its card says, and only the mild ones heal without a person."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from incidents.pipeline import detect
from incidents.states import Status
from monitoring.faults.catalogue import find
from monitoring.faults.injection import inject
from teams.models import User
from tests.incidents.world import probe, run, running_shop, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SEEN_BY_A_PROBE = (
    "bad_flag",
    "crash_loop",
    "deadlock",
    "dependency_down",
    "disk_full",
    "freeze",
    "log_instruction",
    "syntax",
    "wrong_value",
)


@pytest.mark.parametrize("fault", SEEN_BY_A_PROBE)
def test_a_fault_is_as_severe_as_its_card_says(
    tmp_path: Path, matrix: None, shweta: User, fault: str
) -> None:
    with running_shop(tmp_path / "shop") as shop:
        inject(service=shop, fault=fault, actor=None, now=timezone.now())
        wait_for(lambda: probe(shop).state in {"down", "degraded"})
        (number,) = detect.consume_changes(now=timezone.now())
        incident = run(shop.incidents.get(pk=number))
        assert incident.severity == find(fault).severity
        alone = incident.severity in {"low", "medium"}
        assert (incident.status == Status.RESOLVED) == alone, incident.waits_for
