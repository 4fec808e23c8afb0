"""Rules that a command checks: in trials behind the copy's walls, and beside the live service at the deep beat."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.utils import timezone

from agentops_site.integrations.isolation import landlock
from incidents.models import Incident
from incidents.pipeline import detect
from incidents.states import Status
from monitoring import providers as monitoring_providers
from monitoring.check_commands import CheckCommand, CheckRun, check_command
from monitoring.models import Service
from teams.models import User
from tests.incidents.world import answers, free_port, healthy, probe, run, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LEDGER = """
import http.server, json, sys

TOTAL = 30

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        value = {"status": "ok"} if self.path == "/health" else {"lines": [10, 20], "total": TOTAL}
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
CHECK = """
import json, sys, urllib.request

with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/orders", timeout=3) as answer:
    order = json.load(answer)
print(f"lines {order['lines']}, total {order['total']}, key {__import__('os').environ['API_KEY']}")
sys.exit(sum(order["lines"]) != order["total"])
"""
SECRET = "k-5e0d7f21b4"  # noqa: S105 - looks like one, and must be hidden
ADDS_UP: dict[str, Any] = {
    "name": "orders add up",
    "command": ["python3", "check.py", "{port}"],
}


@pytest.fixture
def ledger(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a service whose rule no health check sees."""
    folder = tmp_path / "ledger"
    folder.mkdir()
    (folder / "ledger.py").write_text(LEDGER)
    (folder / "check.py").write_text(CHECK)
    port = free_port()
    service = healthy(
        name="Ledger",
        slug=f"ledger-{port}",
        directory=str(folder),
        command=["python3", "ledger.py", "{port}"],
        port=port,
        editable_globs=["*.py"],
        environment={"API_KEY": SECRET},
        invariants=[ADDS_UP],
        deep_every=1,
        autonomy="auto",
        timeout=2.0,
    )
    try:
        yield service
    finally:
        monitoring_providers.writer(service.spec()).stop(service.spec())


def changed(service: Service, text: str) -> None:
    Path(service.directory, "ledger.py").write_text(text)
    monitoring_providers.writer(service.spec()).restart(service.spec())
    wait_for(lambda: answers(service) == 200)


def opened(service: Service) -> Incident:
    wait_for(lambda: probe(service).state == "degraded")
    (number,) = detect.consume_changes(now=timezone.now())
    return Incident.objects.select_related("service").get(pk=number)


def rule_of(incident: Incident) -> tuple[dict[str, Any], dict[str, Any]]:
    receipt = incident.fixes.filter(trial__isnull=False).latest("id").trial.receipt
    (rule,) = receipt["invariants"]
    return receipt, rule


def beside(service: Service, code: str, **more: Any) -> CheckRun:
    raw = {"command": ["python3", "-c", code], **more}
    spec = service.spec()
    return monitoring_providers.reader(spec).check(spec, check_command(raw))


def test_a_broken_rule_opens_an_incident_and_its_fix_is_proved_by_the_command(
    ledger: Service, shweta: User
) -> None:
    changed(ledger, LEDGER.replace("TOTAL = 30", "TOTAL = 31"))
    incident = opened(ledger)
    assert incident.title == "Ledger: orders add up"
    assert incident.failure["symptom"] == "wrong_answer"
    assert "exit code 1: lines [10, 20], total 31" in incident.failure["detail"]
    assert SECRET not in json.dumps(incident.failure)

    incident = run(incident)

    receipt, rule = rule_of(incident)
    assert (receipt["passed"], receipt["reproduced"]) == (True, True), receipt["reason"]
    assert (rule["verdict"], rule["after"], rule["last_good"]) == ("holds", "holds", "holds")
    assert "exit code 1" in rule["before"]
    assert SECRET not in json.dumps(receipt)
    assert incident.status in {Status.AWAITING_APPROVAL, Status.RESOLVED}


def test_no_fix_may_change_what_proves_it(ledger: Service, shweta: User) -> None:
    """The change since last known good is in the check itself: putting it back would be a fix of the proof."""
    Path(ledger.directory, "check.py").write_text(CHECK.replace("!=", "=="))
    incident = run(opened(ledger))
    assert not incident.fixes.filter(trial__passed=True, lines_changed__gt=0).exists()
    assert "==" in Path(ledger.directory, "check.py").read_text()
    assert incident.status in {Status.ESCALATED, Status.AWAITING_APPROVAL}


def test_a_check_that_never_ends_is_ended_with_its_children(ledger: Service) -> None:
    code = "import os, threading; os.fork(); print(os.getpid(), flush=True); threading.Event().wait(60)"
    ran = beside(ledger, code, seconds=1)
    assert (ran.ran, ran.exit_code) == (True, None)
    assert ran.broken(1) == "no end within 1 s"
    assert ran.seconds < 4


def test_a_child_in_the_background_neither_holds_up_nor_outlives_its_check(
    ledger: Service,
) -> None:
    code = (
        "import os, threading\nif os.fork() == 0:\n    threading.Event().wait(60)\n"
        "print('child of', os.getpid())"
    )
    ran = beside(ledger, code)
    assert (ran.exit_code, ran.seconds < 4) == (0, True)
    parent = int(ran.output.split()[-1])
    living = [p for p in psutil.process_iter(["pid"]) if _group(p.pid) == parent]
    wait_for(lambda: not [p for p in living if p.is_running() and p.status() != "zombie"])


def _group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def test_its_environment_is_the_services_and_its_output_is_bounded(
    ledger: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-never")
    ran = beside(ledger, "import os; print('x' * 100_000); print(sorted(os.environ))")
    assert len(ran.output) <= 2000
    assert "KEY" in ran.output
    assert "ANTHROPIC" not in ran.output


@pytest.mark.skipif(not landlock.abi(), reason="this kernel has no Landlock")
def test_beside_the_live_service_a_check_may_read_and_not_write(ledger: Service) -> None:
    ran = beside(ledger, "open('ledger.py').read(); open('ledger.py', 'a').write('# x')")
    assert ran.exit_code == 1
    assert "PermissionError" in ran.output
    assert Path(ledger.directory, "ledger.py").read_text() == LEDGER
    code = (
        "import tempfile; tempfile.TemporaryFile().write(b'x'); open('/dev/null', 'w').write('x')"
    )
    assert beside(ledger, code).exit_code == 0


def test_what_a_restart_interrupted_says_nothing(ledger: Service) -> None:
    spec = ledger.spec()
    monitoring_providers.writer(spec).stop(spec)
    assert beside(ledger, "raise SystemExit(1)").ran is False


def test_a_check_that_cannot_be_run_says_so_and_lowers_autonomy(
    ledger: Service, shweta: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: object) -> CheckRun:
        return CheckRun(ran=False, why="check commands are not run here")

    monkeypatch.setattr("agentops_site.integrations.local_sandbox.LocalBox.check", nothing)
    changed(ledger, LEDGER.replace("TOTAL = 30", "TOTAL = 31"))
    receipt, rule = rule_of(run(opened(ledger)))
    assert (rule["verdict"], rule["after"]) == ("not run", "check commands are not run here")
    assert any("orders add up" in words for words in receipt["lowers"])


@pytest.mark.parametrize(
    "command", [CheckCommand(name="x", words=("python3", "./a/check.py", "{port}", "-q"))]
)
def test_the_files_of_a_check_are_known(command: CheckCommand) -> None:
    assert command.files == ("a/check.py",)


def test_a_module_that_a_check_starts_is_protected_as_a_file_is() -> None:
    command = CheckCommand(name="x", words=("python3", "-m", "checks.books", "{port}"))
    assert set(command.files) >= {"checks/books.py", "checks/books/__main__.py"}
    assert CheckCommand(name="x", words=("sh", "-m", "../books", "-m")).files == ()
