"""One process of a race for an approval: `python -m ... seed FOLDER`, `... race FOLDER DEED NUMBER` or `... count FOLDER`.

The database is DATABASE_URL's. A racer says "ready", waits for a line, does its deed (approve, override or void), and then
deploys like a worker whenever the incident is permitted to. What is written to the service is a file in the folder.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentops_site.settings")
django.setup()

from incidents.models import Decision, Deployment, Fix, Incident, LostLease  # noqa: E402 - Django is set up first
from incidents.pipeline import approvals, deploy  # noqa: E402
from incidents.pipeline.gates import Conflict  # noqa: E402
from incidents.pipeline.tools import Tools  # noqa: E402
from incidents.states import Step  # noqa: E402
from monitoring.models import Service, ServiceHealth  # noqa: E402
from monitoring.values import ProcessState, ServiceSpec, Tree  # noqa: E402
from teams.models import User  # noqa: E402
from teams.people import settle_role  # noqa: E402
from teams.roles import Role  # noqa: E402

LEADS = 4


@dataclass(frozen=True)
class Target:
    """A service whose one file lies in a folder; every write is a line in its log, which processes append to."""

    folder: Path

    def read_tree(self, spec: ServiceSpec) -> Tree:
        return {"handler.py": (self.folder / "handler.py").read_bytes()}

    def process(self, spec: ServiceSpec) -> ProcessState:
        return ProcessState(phase="running", pid=1)

    def write(self, spec: ServiceSpec, files: Mapping[str, bytes | None]) -> None:
        for path, data in files.items():
            whole = self.folder / f"{path}.{os.getpid()}"
            whole.write_bytes(data or b"")
            whole.replace(self.folder / path)
            with (self.folder / "log").open("a") as log:
                log.write(f"{path}\n")

    def restart(self, spec: ServiceSpec, *, hung: bool = False) -> ProcessState:
        return ProcessState(phase="running", pid=2)

    def tools(self) -> Tools:
        parts: Any = {"diagnosticians": (), "fix_writers": (), "reviewers": (), "sandbox": None}
        return Tools(
            **parts, reader=lambda _spec: cast(Any, self), writer=lambda _spec: cast(Any, self)
        )


def say(text: str) -> None:
    """Say one line to the test."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def seed(folder: Path) -> None:
    """Write an incident that asks about a proved fix, and people who may all approve it."""
    from tests.incidents import rows
    from tests.incidents.pipeline.test_approvals import scene

    (folder / "log").unlink(missing_ok=True)
    for old in (Deployment, Decision, Fix, Incident, Service):
        old.objects.all().delete()
    for number in range(LEADS):
        email = f"lead{number}@example.com"
        person, _ = User.objects.get_or_create(email=email, defaults={"role": Role.TEAM_LEAD})
        settle_role(person)
    at = scene(rows.shop(autonomy="ask"), {})
    ServiceHealth.objects.filter(service=at.service).update(state="down")
    (folder / "handler.py").write_bytes(rows.BAD)


def race(folder: Path, deed: str, number: int) -> None:
    """Take part in the race; print what came of it."""
    incident = Incident.objects.get()
    fix, person = incident.fixes.get(), User.objects.get(email=f"lead{number % LEADS}@example.com")
    say("ready")
    sys.stdin.readline()
    try:
        said = _do(deed, incident, fix, person)
    except Conflict as refused:
        said = f"refused: {refused}"
    fresh = Incident.objects.select_related("service").get(pk=incident.pk)
    if fresh.step == Step.DEPLOY:
        with suppress(LostLease):
            deploy.deploy(fresh, Target(folder).tools())
    say(said)


def _do(deed: str, incident: Incident, fix: Fix, person: User) -> str:
    if deed == "void":
        Service.objects.filter(pk=incident.service_id).update(auto_threshold=0.97)
        return "voided"
    approvals.authorise(
        incident_id=incident.pk,
        fix_digest=fix.digest,
        person=person,
        reason="Seen and right.",
        override=deed == "override",
    )
    return "permitted"


def count(folder: Path) -> None:
    """Print what there is in the end."""
    incident = Incident.objects.get()
    log = folder / "log"
    say(
        json.dumps(
            {
                "status": incident.status,
                "deployments": Deployment.objects.count(),
                "permissions": Decision.objects.filter(kind__in=["approve", "override"]).count(),
                "writes": len(log.read_text().splitlines()) if log.exists() else 0,
            }
        )
    )


if __name__ == "__main__":
    place = Path(sys.argv[2])
    if sys.argv[1] == "race":
        race(place, sys.argv[3], int(sys.argv[4]))
    else:
        {"seed": seed, "count": count}[sys.argv[1]](place)
