"""Services that a trial cannot prove as others: each real one is recognised, named on its receipt, and left to a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from incidents.models import Incident
from incidents.states import Status
from monitoring import providers as monitoring_providers
from monitoring.models import Service
from teams.models import User
from tests.incidents.world import answers, detected, free_port, healthy, run, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CODE = """
import fcntl, http.server, json, os, pathlib, random, sys

{at_start}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = 200, {{"status": "ok"}}
        if self.path == "/odd":
            body = [random.random() for _ in range(random.randint(1, 1000))]
        self.say(status, body)

    def do_POST(self):
        self.say(201, {{"made": 1}})

    def say(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer(("127.0.0.1", {port}), Handler).serve_forever()
"""
WELL, ILL = "status, body = 200, ", "status, body = 500, "
ONCE = """
own = pathlib.Path("data/pid")
try:
    os.kill(int(own.read_text()), 0)
    sys.exit("another instance is already running")
except PermissionError:
    sys.exit("another instance is already running")
except (FileNotFoundError, ProcessLookupError):
    own.write_text(str(os.getpid()))
"""
LOCK = 'held = open("{outside}/odd.lock", "w"); fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)'
WRITES = [{"method": "POST", "path": "/orders", "body": {"a": 1}}]

Fields = dict[str, Any]
ODD: dict[str, tuple[str, Fields]] = {
    "fixed_port": ("", {"command": ["python3", "odd.py"]}),
    "starts_once": (ONCE, {}),
    "locks_data": (LOCK, {}),
    "huge_data": ("", {}),
    "no_data": ("", {"data_globs": [], "smoke_requests": WRITES}),
    "differs_always": ("", {"smoke_requests": [{"path": "/odd"}]}),
}


@pytest.fixture
def odd(request: pytest.FixtureRequest, tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a healthy service that is odd in the named way ("" in none)."""
    at_start, more = ODD.get(request.param, ("", {}))
    folder = tmp_path / "odd"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "kept").write_text("1")
    if request.param == "huge_data":
        with (folder / "data" / "huge").open("wb") as file:
            file.truncate(1_000_000_000)  # a hole: it takes no room
    port = free_port()
    listens = port if request.param == "fixed_port" else "int(sys.argv[1])"
    text = CODE.format(at_start=at_start.format(outside=tmp_path), port=listens)
    (folder / "odd.py").write_text(text)
    fields: Fields = {
        "name": "Odd",
        "slug": f"odd-{port}",
        "directory": str(folder),
        "command": ["python3", "odd.py", "{port}"],
        "port": port,
        "editable_globs": ["*.py"],
        "data_globs": ["data/**"],
        "autonomy": "auto",
        "timeout": 2.0,
    }
    service = healthy(**{**fields, **more})
    try:
        yield service
    finally:
        monitoring_providers.writer(service.spec()).stop(service.spec())


def broken(service: Service) -> Incident:
    """Break it beside a harmless edit, so that its fix is another version than last known good."""
    Path(service.directory, "beside.py").write_text("# nothing uses this\n")
    code = Path(service.directory, "odd.py")
    code.write_text(code.read_text().replace(WELL, ILL))
    monitoring_providers.writer(service.spec()).restart(service.spec())
    wait_for(lambda: answers(service) == 500)
    return run(detected(service))


@pytest.mark.parametrize("odd", ODD, indirect=True)
def test_an_odd_service_is_named_on_its_receipt_and_left_to_a_person(
    odd: Service, shweta: User, request: pytest.FixtureRequest
) -> None:
    incident = broken(odd)
    receipt = incident.fixes.get(state="chosen").trial.receipt
    named = {one["name"]: one for one in receipt["traits"]}
    wanted = request.node.callspec.params["odd"]
    assert wanted in named, receipt["reason"]
    assert named[wanted]["words"] in receipt["lowers"]
    assert incident.status in {Status.AWAITING_APPROVAL, Status.ESCALATED}
    assert incident.deployments.count() == 0
    assert ILL in Path(odd.directory, "odd.py").read_text()


@pytest.mark.parametrize("odd", [""], indirect=True)
def test_the_same_service_without_an_oddity_is_healed_without_a_person(
    odd: Service, shweta: User
) -> None:
    incident = broken(odd)
    assert incident.status == Status.RESOLVED, [entry.text for entry in incident.timeline.all()]
    assert incident.auto_resolved
