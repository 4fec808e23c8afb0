"""Hostile and broken surroundings: each is said in words on the incident, and the loop goes on for everybody else."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from incidents.models import Evidence, Fix, Incident
from incidents.pipeline import approvals, detect
from incidents.states import Status
from monitoring import operations
from monitoring import providers as monitoring_providers
from monitoring.faults.injection import inject
from monitoring.models import Service, ServiceHealth
from teams.models import User
from tests.incidents.world import answers, free_port, healthy, probe, run, running_shop, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# Answers well until the file `mode` says otherwise; then its health path misbehaves in that way.
ODD = """
import http.server, pathlib, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        mode = pathlib.Path("mode").read_text().strip()
        self.send_response(200)
        if mode != "endless":
            body = {"well": b"ok", "binary": bytes(range(256)) * 40, "huge": b"x" * 100_000_000}[mode]
            self.send_header("Content-Length", str(len(body)))
        else:
            body = b""
        self.end_headers()
        self.wfile.write(body)
        while mode == "endless":
            self.wfile.write(b"x" * 1000)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def odd(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return the odd service, well so far."""
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "odd.py").write_text(ODD)
    (folder / "mode").write_text("well")
    port = free_port()
    service = healthy(
        name="Odd",
        slug=f"odd-{port}",
        directory=str(folder),
        command=["python3", "odd.py", "{port}"],
        port=port,
        editable_globs=["*.py"],
        data_globs=["mode"],
        autonomy="auto",
        timeout=1.0,
    )
    try:
        yield service
    finally:
        monitoring_providers.writer(service.spec()).stop(service.spec())


@pytest.fixture
def shop(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a healthy shop."""
    with running_shop(tmp_path / "shop") as service:
        yield service


def opened() -> Incident:
    (number,) = detect.consume_changes(now=timezone.now())
    return Incident.objects.select_related("service").get(pk=number)


def pieces(incident: Incident) -> dict[str, str]:
    row = Evidence.objects.filter(incident=incident).latest("id")
    return {item["kind"]: item["body"] for item in row.items}


def story(incident: Incident) -> str:
    return "\n".join(entry.text for entry in incident.timeline.all())


def approved(incident: Incident, lead: User) -> Incident:
    digest = incident.fixes.get(state=Fix.State.CHOSEN, attempt=incident.attempt).digest
    approvals.authorise(incident_id=incident.pk, fix_digest=digest, person=lead)
    return run(incident)


SAID = {
    "binary": "The body is binary.",
    "huge": "The body is larger than",
    "endless": "GET /health",
}


@pytest.mark.parametrize("mode", SAID)
def test_a_health_answer_that_is_no_answer_is_an_incident_and_holds_nobody_up(
    odd: Service, shop: Service, shweta: User, mode: str
) -> None:
    Path(odd.directory, "mode").write_text(mode)
    now = timezone.now()
    ServiceHealth.objects.update(next_due_at=now, state="healthy")
    begun = time.monotonic()
    operations.probe_due(now=now)
    assert time.monotonic() - begun < 6
    assert ServiceHealth.objects.get(service=shop).state == "healthy"

    incident = run(opened())

    assert incident.service == odd
    assert incident.failure["symptom"] in {"wrong_body", "timeout"}
    assert SAID[mode] in pieces(incident)["answer"]
    assert incident.status in {Status.ESCALATED, Status.AWAITING_APPROVAL}, story(incident)
    assert all(len(body) < 21_000 for body in pieces(incident).values())


def test_a_directory_that_is_gone_is_said_and_not_repaired_blindly(
    shop: Service, odd: Service, shweta: User
) -> None:
    spec = shop.spec()
    shutil.rmtree(shop.directory)
    monitoring_providers.writer(spec).kill(spec, signal.SIGKILL)
    wait_for(lambda: probe(shop).state == "down")

    incident = run(opened())

    assert incident.status == Status.ESCALATED, story(incident)
    assert "cannot be opened" in pieces(incident)["unreadable"]
    found = incident.diagnoses.get()
    assert found.category == "resource"
    assert "cannot be read" in found.root_cause
    assert not Path(shop.directory).exists()
    assert probe(odd).state == "healthy"


def test_a_source_file_that_is_not_utf8_is_diagnosed_and_put_back(
    shop: Service, shweta: User
) -> None:
    handler = Path(shop.directory, "handler.py")
    before = handler.read_bytes()
    handler.write_bytes(before.replace(b'("GET", "/health"', b'("GET", "/h\xe9alth"'))
    monitoring_providers.writer(shop.spec()).restart(shop.spec())
    wait_for(lambda: probe(shop).state == "down")

    incident = run(opened())

    found = incident.diagnoses.get()
    assert (found.category, found.file) == ("startup", "handler.py"), found.root_cause
    assert incident.status == Status.AWAITING_APPROVAL, story(incident)
    incident = approved(incident, shweta)
    assert incident.status == Status.RESOLVED, story(incident)
    assert handler.read_bytes() == before


def test_a_second_fault_while_the_first_waits_voids_the_approval_and_both_are_healed(
    shop: Service, shweta: User
) -> None:
    inject(service=shop, fault="crash", actor=None, now=timezone.now())
    wait_for(lambda: probe(shop).state == "down")
    incident = run(opened())
    assert incident.status == Status.AWAITING_APPROVAL
    inject(service=shop, fault="bad_config", actor=None, now=timezone.now())

    incident = approved(incident, shweta)

    assert incident.attempt == 2, story(incident)
    assert "the service's files or environment changed" in story(incident)
    assert incident.diagnoses.get(attempt=2).category == "config"
    incident = approved(incident, shweta)
    assert incident.status == Status.RESOLVED, story(incident)
    assert answers(shop) == 200


def test_a_second_fault_of_another_kind_gets_an_incident_of_its_own(
    shop: Service, shweta: User
) -> None:
    inject(service=shop, fault="bad_config", actor=None, now=timezone.now())
    wait_for(lambda: probe(shop).state == "down")
    first = run(opened())
    inject(service=shop, fault="crash", actor=None, now=timezone.now())
    wait_for(lambda: answers(shop) == 0)
    wait_for(lambda: probe(shop).verdict["symptom"] == "no_process")
    second = run(opened())
    assert first.pk != second.pk
    assert second.failure["error_type"] == "SIGKILL"
    assert {first.status, second.status} == {Status.AWAITING_APPROVAL}, story(second)


def test_a_file_that_cannot_be_read_leaves_the_diagnosis_to_the_rest(
    shop: Service, shweta: User
) -> None:
    """More bytes than are read stand for all that makes files unreadable: it works for root, too."""
    inject(service=shop, fault="bug", actor=None, now=timezone.now())
    wait_for(lambda: probe(shop).state == "down")
    incident = opened()
    for number in range(27):
        Path(shop.directory, f"bulk_{number}.py").write_bytes(b"#" * 1_990_000)

    incident = run(incident)

    assert incident.status == Status.ESCALATED, story(incident)
    assert "narrow them" in pieces(incident)["unreadable"]
    assert "NameError" in incident.diagnoses.get().root_cause
    assert not incident.fixes.exists()
    assert "checked_request_id" in Path(shop.directory, "handler.py").read_text()
