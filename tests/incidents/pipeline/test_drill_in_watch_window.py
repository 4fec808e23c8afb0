"""A second drill in the watch window of the first one's fix must not undo that fix."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from incidents.pipeline.guards import became_worse
from monitoring.models import FaultInjection, ProbeMinute
from tests.incidents import made


def test_a_fault_injected_since_is_no_relapse(matrix: None) -> None:
    now = timezone.now()
    before = {"count": 100, "errors": 0, "error_share": 0.0, "p50_ms": 5.0, "p95_ms": 9.0}
    incident = made.incident(made.service(is_demo=True), status="RESOLVED")
    deployment = made.deployed(incident, healthy_at=now - timedelta(minutes=3))
    deployment.before = {name: before.get(name, 0) for name in _fields()}
    ProbeMinute.objects.create(
        service=incident.service,
        minute=(now - timedelta(minutes=1)).replace(second=0, microsecond=0),
        count=40,
        failures=40,
    )
    assert became_worse(deployment, now=now)
    FaultInjection.objects.create(service=incident.service, fault="crash", at=now)
    assert became_worse(deployment, now=now) == ""


def _fields() -> list[str]:
    from monitoring.quality import Quality

    return list(Quality.__dataclass_fields__)
