"""A trial replays what the recorder saw in the order in which it happened: failing and good, reads and writes alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from incidents import providers
from incidents.models import Incident
from incidents.pipeline.collect import collect
from incidents.pipeline.packs import pack_of
from incidents.pipeline.proving import NOT_ASKED, Asked, Version, run_copy
from incidents.pipeline.scripts import script_of
from incidents.states import Status
from monitoring import providers as monitoring_providers
from monitoring import recorder
from monitoring.models import Service
from monitoring.values import HttpRequest
from teams.models import User
from tests.incidents.world import answers, detected, free_port, healthy, run, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# Keeps its notes in memory: a copy has none until the recorded writes are replayed, in their order.
MEMO = """
import http.server, json, sys

NOTES = {}

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/health":
            return self.say(200, {"status": "ok"})
        if self.path not in NOTES:
            return self.say(404, {"error": "no such note"})
        self.say(200, {"text": NOTES[self.path], "length": len(NOTES[self.path])})

    def do_PUT(self):
        NOTES[self.path] = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.say(201, {"kept": self.path})

    def say(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
BROKEN = MEMO.replace('self.say(200, {"text"', 'self.say(500, {"text"')
PUT = HttpRequest(method="PUT", path="/a", body=b"milk")
GET, OTHER = HttpRequest(path="/a"), HttpRequest(path="/b")


@pytest.fixture
def memo(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return the notes in memory, well so far, with a rule on one of them."""
    folder = tmp_path / "memo"
    folder.mkdir()
    (folder / "memo.py").write_text(MEMO)
    port = free_port()
    service = healthy(
        name="Memo",
        slug=f"memo-{port}",
        directory=str(folder),
        command=["python3", "memo.py", "{port}"],
        port=port,
        editable_globs=["*.py"],
        autonomy="auto",
        timeout=1.0,
    )
    try:
        yield service
    finally:
        monitoring_providers.writer(service.spec()).stop(service.spec())


def broken(service: Service, text: str = BROKEN) -> None:
    """Break the service as an ordinary deploy would."""
    Path(service.directory, "memo.py").write_text(text)
    monitoring_providers.writer(service.spec()).restart(service.spec())
    wait_for(lambda: answers(service))


def send(service: Service, *requests: HttpRequest) -> None:
    for request in requests:
        recorder.send(service=service, request=request, source="live")


def incident_at(service: Service, path: str) -> Incident:
    """Return an incident of a failing read, with its evidence collected."""
    failure = {"symptom": "http_error", "method": "GET", "path": path, "status": 500}
    incident = Incident.objects.create(
        service=service,
        fingerprint=path,
        title="Memo fails",
        failure=failure,
        failed_since=timezone.now() - timedelta(seconds=5),
    )
    collect(incident, providers.tools())
    return Incident.objects.select_related("service").get(pk=incident.pk)


def asked(incident: Incident) -> list[str]:
    script = script_of(incident, pack_of(incident))
    return [f"{one.request.method} {one.request.path}" for one in script.exchanges]


def test_failing_and_good_ones_are_replayed_among_each_other_as_they_came(memo: Service) -> None:
    broken(memo)
    send(memo, OTHER, PUT, GET, HttpRequest(method="PUT", path="/b", body=b"eggs"), OTHER)
    send(memo, PUT, HttpRequest(path="/c"))
    wanted = ["PUT /a", "GET /a", "PUT /b", "GET /b", "PUT /a", "GET /c", "GET /health"]
    assert asked(incident_at(memo, "/a")) == wanted
    assert asked(incident_at(memo, "/unseen")) == ["GET /unseen", *wanted]


def test_a_failure_that_needs_the_write_before_it_is_reproduced_and_healed(
    memo: Service, shweta: User
) -> None:
    broken(memo)
    memo.smoke_requests, memo.deep_every = [{"path": "/a"}], 1
    memo.save()
    send(memo, PUT)
    incident = run(detected(memo))
    receipt = incident.fixes.get(state="chosen").trial.receipt
    assert receipt["passed"] is True, receipt["reason"]
    assert receipt["reproduced"] is True
    seen = [(line["kind"], line["method"], line["path"]) for line in receipt["requests"]]
    assert seen[:2] == [("good", "PUT", "/a"), ("failing", "GET", "/a")]
    assert [receipt["requests"][1][name]["status"] for name in ("before", "after")] == [500, 200]
    assert incident.status in {Status.RESOLVED, Status.AWAITING_APPROVAL}


def test_the_request_of_a_rule_is_asked_once_more_after_the_writes(memo: Service) -> None:
    memo.invariants = [{"request": {"path": "/a"}, "path": "$.length", "equals": 4}]
    memo.save()
    send(memo, PUT, GET, HttpRequest(method="PUT", path="/a", body=b"cream"))
    broken(memo)
    send(memo, OTHER)
    wanted = ["GET /unseen", "PUT /a", "GET /a", "PUT /a", "GET /b", "GET /health", "GET /a"]
    assert asked(incident_at(memo, "/unseen")) == wanted


def test_a_good_request_that_hangs_does_not_hide_whether_the_failure_is_seen(
    memo: Service,
) -> None:
    waits = 'self.path == "/health" or __import__("threading").Event().wait(9)'
    hanging = MEMO.replace(
        '        if self.path == "/health"', f"        {waits}\n        if self.path == '/health'"
    )
    incident = incident_at(memo, "/a")
    version = Version(name="hangs", tree={"memo.py": hanging.encode()}, environment={}, timeout=0.3)
    requests = [OTHER, HttpRequest(path="/c"), GET, HttpRequest(path="/d"), GET]
    copy = run_copy(
        incident, providers.tools(), version, Asked(requests=requests, vital=frozenset({2, 4}))
    )
    seen = [answer.failure for answer in copy.answers]
    assert seen == ["timeout", NOT_ASKED, "timeout", NOT_ASKED, NOT_ASKED]
