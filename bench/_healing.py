"""One fault of Heal-Bench from its beginning to its end, with the real parts in one process: probe, detect, run, deploy.

The beat is played here (every service is due once a second), a lead approves at once what waits for a person, and what came of it is
read from the records afterwards. Nothing but time is made up: the service, its keeper, the trials and the writes are real.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench._faults import Fault, Files
from bench._outcomes import Outcome, is_bad
from bench._patients import PATIENTS

INTERVAL, TICK = 1.0, 0.1
DETECT_LIMIT, HEAL_LIMIT, QUIET = 8.0, 30.0, 2.2
CONTROL_SECONDS, TOGGLE_SECONDS = 6.0, 0.6
WAITING = ("AWAITING_APPROVAL", "ESCALATED")


def play(fault: Fault) -> dict[str, Any]:
    """Let one fault happen to a fresh, healthy service and return its outcome as plain values."""
    folder = Path(tempfile.mkdtemp(prefix=f"agentops-heal-{fault.name}-"))
    try:
        with _Case(fault, folder / "service").running() as case:
            case.break_it()
            case.watch()
            return asdict(case.outcome())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def failed(fault: Fault, error: BaseException) -> dict[str, Any]:
    """Return the outcome of a fault at which the agent, or this bench, came to grief itself: nothing was reached."""
    row = Outcome(name=fault.name, service=fault.service, kind=fault.kind, story=repr(error))
    return asdict(row)


class _Case:
    """A service, its fault, and the beat that looks at it."""

    def __init__(self, fault: Fault, directory: Path) -> None:
        from incidents import providers
        from tests.incidents import world

        self.fault, self.directory, self.patient = fault, directory, PATIENTS[fault.service]
        self.good, self.harmless, self.broken = fault.trees()
        self.tools, self.world = providers.tools(), world
        self.lead = _lead()
        self.stop = threading.Event()
        self.began_at, self.well_at = 0.0, 0.0
        self.asked = False

    @contextmanager
    def running(self) -> Iterator[_Case]:
        """Have the service started, healthy, used, and its files last known good."""
        from monitoring import providers

        self.patient.copy_to(self.directory)
        port = self.world.free_port()
        self.service = self.world.healthy(
            **{
                "name": self.fault.name,
                "slug": f"{self.fault.service}-{os.getpid()}-{port}",
                "directory": str(self.directory),
                "port": port,
                "autonomy": "auto",
                "interval": INTERVAL,
                "timeout": 1.0,
                "slow_ms": 700.0,
                "deep_every": 1,
                "limit_per_fingerprint": 100,
                "limit_per_service": 100,
                **self.patient.fields,
                **self.fault.fields,
            }
        )
        self.address = self.service.spec().base_url
        try:
            self.patient.behaviour(self.address)
            self.before = self.patient.behaviour(self.address)
            yield self
        finally:
            self.stop.set()
            spec = self.service.spec()
            providers.writer(spec).stop(spec)
            type(self.service).objects.filter(pk=self.service.pk).update(enabled=False)

    def break_it(self) -> None:
        """Let the fault happen as in life: other edits and the bad one are deployed by a planned restart, or the process is hit."""
        from monitoring import providers

        spec = self.service.spec()
        writer = providers.writer(spec)
        self._write(self.broken)
        if self.fault.environment:
            type(self.service).objects.filter(pk=self.service.pk).update(
                environment=self.fault.environment
            )
            self.service.refresh_from_db()
            spec = self.service.spec()
        if self.fault.signal:
            writer.kill(spec, self.fault.signal)
        elif self.fault.restart:
            writer.restart(spec)
        self.began_at = time.time()
        if self.fault.toggle:
            threading.Thread(target=self._come_and_go, daemon=True).start()
        if self.fault.traffic:
            threading.Thread(target=self._use, daemon=True).start()

    def _write(self, tree: Files) -> None:
        for path in {*self.good, *self.harmless, *self.broken}:
            place, data = self.directory / path, tree.get(path)
            if data is None:
                place.unlink(missing_ok=True)
            elif not place.exists() or place.read_bytes() != data:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(data)

    def _come_and_go(self) -> None:
        for number in range(1000):
            if self.stop.wait(TOGGLE_SECONDS):
                return
            self._write(self.broken if number % 2 else self.harmless)

    def _use(self) -> None:
        """Be a user whose requests go through us, as the storefront's do, so that the flight recorder sees them."""
        from django.db import connection

        from monitoring import recorder
        from monitoring.smoke import smoke_requests

        wanted = [{"method": "POST", **request} for request in self.fault.traffic]
        while not self.stop.wait(0.2):
            for smoke in smoke_requests(wanted):
                recorder.send(service=self.service, request=smoke.request, source="shop")
        connection.close()

    def watch(self) -> None:
        """Play the beat until it is quiet after the repair, or the time is over."""
        from incidents.pipeline import detect

        begun = quiet_since = time.monotonic()
        while not self._is_over(time.monotonic() - begun, time.monotonic() - quiet_since):
            self._probe()
            detect.consume_changes(now=_now())
            if self._work() or self._is_failing():
                quiet_since = time.monotonic()
            time.sleep(TICK)  # the beat

    def _is_over(self, passed: float, quiet: float) -> bool:
        if self.fault.is_control:
            return passed > CONTROL_SECONDS
        if not self._incidents().exists():
            return passed > DETECT_LIMIT
        stuck = quiet > QUIET or not self._incidents().exclude(status="ESCALATED").exists()
        return stuck or passed > HEAL_LIMIT

    def _probe(self) -> None:
        from monitoring import operations

        operations.probe_due(now=_now(), window=TICK)

    def _is_failing(self) -> bool:
        from monitoring.models import ServiceHealth

        return ServiceHealth.objects.get(service=self.service).state in {"down", "degraded"}

    def _work(self) -> bool:
        """Take every incident as far as it goes, a lead's permission included; say whether there was anything to do."""
        from incidents.pipeline import runner

        worked = False
        for incident in self._incidents().exclude(step=""):
            runner.run(incident.pk, self.tools)
            worked = True
        for incident in self._incidents().filter(status__in=WAITING):
            worked = self._approve(incident) or worked
        return worked

    def _approve(self, incident: Any) -> bool:
        """Let the lead approve what was proved; nobody overrides anything here."""
        from incidents.pipeline import approvals
        from incidents.pipeline.gates import Conflict

        fix = incident.fixes.filter(attempt=incident.attempt, state="chosen").last()
        if fix is None or not fix.trial.passed:
            return False
        try:
            approvals.authorise(incident_id=incident.pk, fix_digest=fix.digest, person=self.lead)
        except Conflict:
            return False
        self.asked = True
        return True

    def _incidents(self) -> Any:
        from incidents.models import Incident

        return Incident.objects.filter(service=self.service).select_related("service")

    def outcome(self) -> Outcome:
        """Read from the records and from the service itself what came of it."""
        self.stop.set()
        found, fault = list(self._incidents()), self.fault
        result = Outcome(name=fault.name, service=fault.service, kind=fault.kind, asked=self.asked)
        result.incidents, result.detected = len(found), bool(found)
        result.bad_deploys = sum(is_bad(row) for row in self._deployments())
        result.story = "; ".join(entry.text[:160] for i in found for entry in i.timeline.all())
        if fault.is_control:
            result.false_incidents = max(0, len(found) - fault.incidents)
            return result
        result.minimum = fault.minimum()
        if found:
            self._judge(result, found)
        return result

    def _judge(self, result: Outcome, found: list[Any]) -> None:
        fault = self.fault
        result.detect_seconds = min(i.detected_at.timestamp() for i in found) - self.began_at
        named = [(row.file, row.line) for i in found for row in i.diagnoses.all()]
        line = fault.true_line()
        result.file_right = any(file == fault.file for file, _ in named)
        result.line_right = any(
            (file, at) == (fault.file, line) or (file == fault.file and line is None)
            for file, at in named
        )
        healthy = [row for row in self._deployments() if row.healthy_at and not row.undone_at]
        after = self.patient.behaviour(self.address)
        ended = all(i.status == "RESOLVED" for i in found)
        result.fixed = ended and bool(healthy) and not self._is_failing()
        result.regression_free = result.fixed and after == self.before and self._kept_the_rest()
        if result.fixed:
            last = max(row.healthy_at.timestamp() for row in healthy)
            result.heal_seconds = last - self.began_at
            result.lines = sum(row.fix.lines_changed for row in healthy)
        elif after != self.before:
            result.story += f" || after: {after!r}"[:600]

    def _deployments(self) -> Any:
        from incidents.models import Deployment

        rows = Deployment.objects.filter(incident__service=self.service)
        return rows.select_related("fix__trial", "decision__actor", "incident")

    def _kept_the_rest(self) -> bool:
        """Say whether every harmless line is still there, and every file that had nothing to do with the fault as it was."""
        for path, data in self.harmless.items():
            place = self.directory / path
            now = place.read_bytes() if place.exists() else b""
            if data == self.broken.get(path) and now != data:
                return False
            added = Counter(data.split(b"\n")) - Counter(self.good.get(path, b"").split(b"\n"))
            if added - Counter(now.split(b"\n")):
                return False
        return True


def _now() -> Any:
    from django.utils import timezone

    return timezone.now()


def _lead() -> Any:
    from teams.models import User
    from teams.people import settle_role
    from teams.roles import Role

    found = User.objects.filter(email="lead@example.com").first()
    if found is None:
        found = User(email="lead@example.com", role=Role.TEAM_LEAD, display_name="Lead")
        found.set_unusable_password()
        found.save()
        settle_role(found)
    return found
