"""The main job with real parts in one process: a real shop breaks and is healed, or waits for the right person."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from incidents.models import Decision, Fix, Incident
from incidents.pipeline import approvals
from incidents.pipeline.gates import Conflict
from incidents.states import Status
from monitoring import providers as monitoring_providers
from monitoring.models import Service
from teams.access import AccessRefused
from teams.models import User
from tests.incidents.world import (
    answers,
    detected,
    insert,
    post,
    probe,
    restart,
    run,
    running_shop,
    wait_for,
)

pytestmark = pytest.mark.django_db(transaction=True)
BUG = "    ledger_of_visits.append(request)\n"


@pytest.fixture
def shop(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a healthy shop with a last known good state."""
    with running_shop(tmp_path / "shop") as service:
        yield service


def handler(service: Service) -> Path:
    return Path(service.directory, "handler.py")


def break_with_bug(service: Service) -> None:
    """Call an undefined name in what every request passes, and deploy it by a planned restart."""
    insert(handler(service), "endpoint, params = ROUTER.find", BUG)
    restart(service)


def kill(service: Service) -> None:
    """End the process as the out-of-memory killer does."""
    monitoring_providers.writer(service.spec()).kill(service.spec(), signal.SIGKILL)
    wait_for(lambda: answers(service) == 0)


def test_a_bug_heals_by_itself_and_other_edits_survive(shop: Service, shweta: User) -> None:
    before = handler(shop).read_text()
    handler(shop).write_text(before + "\n# an unrelated edit made earlier\n")
    break_with_bug(shop)
    assert answers(shop) == 500

    incident = run(detected(shop))

    assert incident.status == Status.RESOLVED, [e.text for e in incident.timeline.all()]
    assert incident.auto_resolved
    assert answers(shop) == 200
    assert handler(shop).read_text() == before + "\n# an unrelated edit made earlier\n"
    diagnosis = incident.diagnoses.get()
    line = before[: before.index("    endpoint, params = ROUTER.find")].count("\n") + 1
    assert (diagnosis.category, diagnosis.file, diagnosis.line) == ("code", "handler.py", line)
    fix = incident.fixes.get(state=Fix.State.CHOSEN)
    assert fix.trial.passed
    assert fix.trial.reproduced
    assert "-    ledger_of_visits.append(request)" in fix.diff
    assert incident.reports.count() == 1


def test_no_order_placed_while_it_heals_is_lost(shop: Service, shweta: User) -> None:
    body = {
        "items": [{"product_id": first_product(shop), "quantity": 1}],
        "customer": {"name": "Ada", "email": "ada@example.com"},
        "idempotency_key": "order-before-the-fault",
    }
    status, order = post(shop, "/api/orders", body)
    assert status == 201
    break_with_bug(shop)
    run(detected(shop))
    again, replayed = post(shop, "/api/orders", body)
    assert (again, replayed["id"]) == (201, order["id"])


def first_product(service: Service) -> str:
    import json
    import urllib.request

    with urllib.request.urlopen(f"{service.spec().base_url}/api/products", timeout=5) as answer:  # noqa: S310
        return str(json.loads(answer.read())["items"][0]["id"])


def test_a_killed_process_waits_for_the_lead(
    shop: Service, shweta: User, bhumika: User, maya: User
) -> None:
    kill(shop)
    incident = run(detected(shop))
    assert incident.status == Status.AWAITING_APPROVAL
    assert incident.severity == "blocker"
    digest = incident.fixes.get(state=Fix.State.CHOSEN).digest
    for person in (bhumika, maya):
        with pytest.raises(AccessRefused):
            approvals.authorise(incident_id=incident.pk, fix_digest=digest, person=person)
    assert answers(shop) == 0

    approvals.authorise(incident_id=incident.pk, fix_digest=digest, person=shweta)
    incident = run(incident)

    assert incident.status == Status.RESOLVED
    assert not incident.auto_resolved
    assert answers(shop) == 200
    assert incident.deployments.count() == 1


def test_a_second_click_on_approve_is_told_that_it_is_too_late(shop: Service, shweta: User) -> None:
    kill(shop)
    incident = run(detected(shop))
    digest = incident.fixes.get(state=Fix.State.CHOSEN).digest
    approvals.authorise(incident_id=incident.pk, fix_digest=digest, person=shweta)
    with pytest.raises(Conflict, match="DEPLOYING"):
        approvals.authorise(incident_id=incident.pk, fix_digest=digest, person=shweta)
    assert Decision.objects.filter(incident=incident, kind="approve").count() == 1


def test_files_that_drift_after_the_approval_void_it(shop: Service, shweta: User) -> None:
    kill(shop)
    incident = run(detected(shop))
    digest = incident.fixes.get(state=Fix.State.CHOSEN).digest
    approvals.authorise(incident_id=incident.pk, fix_digest=digest, person=shweta)
    Path(shop.directory, "pricing.py").write_text("# somebody was here\n")
    incident = run(incident)
    assert incident.attempt == 2
    assert incident.deployments.count() == 0
    assert incident.timeline.filter(kind="voided").exists()


def test_an_incident_whose_service_recovers_alone_ends_without_us(
    shop: Service, shweta: User
) -> None:
    kill(shop)
    incident = run(detected(shop))
    assert incident.status == Status.AWAITING_APPROVAL
    monitoring_providers.writer(shop.spec()).start(shop.spec())
    wait_for(lambda: answers(shop) == 200)
    wait_for(lambda: probe(shop).state == "healthy")
    from django.utils import timezone

    from incidents.pipeline import detect

    detect.consume_changes(now=timezone.now())
    incident = Incident.objects.get(pk=incident.pk)
    assert incident.status == Status.RECOVERED
    with pytest.raises(Conflict, match="ended"):
        approvals.authorise(
            incident_id=incident.pk, fix_digest=incident.fixes.get().digest, person=shweta
        )
