"""A small world for pipeline tests: a real shop under a real keeper, probed, detected and healed step by step."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.utils import timezone

from incidents import providers
from incidents.models import Incident
from incidents.pipeline import detect, runner
from monitoring import operations, snapshots
from monitoring import providers as monitoring_providers
from monitoring.models import Service, ServiceHealth

TARGET = Path(__file__).parents[2] / "target_app"
LIMIT = 20.0


def wait_for(what: Callable[[], Any], *, limit: float = LIMIT) -> Any:
    """Return the first true value of `what`, asked again and again; fail when the limit (seconds) is over."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {limit} s: {what}")


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def healthy_shop(directory: Path, **fields: Any) -> Service:
    """Return a started, healthy shop whose present files are last known good."""
    shutil.copytree(TARGET, directory, ignore=shutil.ignore_patterns("data", "__pycache__"))
    values: dict[str, Any] = {
        "name": "Shop API",
        "slug": f"shop-{os.getpid()}-{free_port()}",
        "directory": str(directory),
        "command": ["python3", "server.py", "{port}"],
        "port": free_port(),
        "editable_globs": ["*.py", "config.json"],
        "data_globs": ["data/**"],
        "smoke_requests": [{"path": "/api/products"}, {"path": "/api/config"}],
        "autonomy": "auto",
        "is_demo": True,
        "interval": 5.0,
        "timeout": 1.0,
        "limit_per_fingerprint": 100,
        "limit_per_service": 100,
    }
    return healthy(**{**values, **fields})


def healthy(**fields: Any) -> Service:
    """Return a service with these fields, started, healthy, and its present files last known good."""
    service = Service.objects.create(**fields)
    spec = service.spec()
    monitoring_providers.writer(spec).start(spec)
    wait_for(lambda: answers(service, service.health_path) == 200)
    wait_for(lambda: probe(service).state == "healthy")
    assert snapshots.capture(service=service, reason="test", now=timezone.now())
    return service


@contextmanager
def running_shop(directory: Path, **fields: Any) -> Iterator[Service]:
    """Have a healthy shop for a while; its keeper and process are ended afterwards."""
    service = healthy_shop(directory, **fields)
    try:
        yield service
    finally:
        spec = service.spec()
        monitoring_providers.writer(spec).stop(spec)


def answers(service: Service, path: str = "/health") -> int:
    """Return the status that the service answers with, 0 when it does not answer."""
    try:
        with urllib.request.urlopen(f"{service.spec().base_url}{path}", timeout=2) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return 0


def post(service: Service, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Send JSON to the service and return its status and JSON answer."""
    request = urllib.request.Request(  # noqa: S310
        f"{service.spec().base_url}{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return int(answer.status), json.loads(answer.read())


def probe(service: Service) -> ServiceHealth:
    """Probe the service now, as the beat would, and return its health."""
    now = timezone.now()
    ServiceHealth.objects.get_or_create(service=service)
    ServiceHealth.objects.filter(service=service).update(next_due_at=now)
    operations.probe_due(now=now)
    return ServiceHealth.objects.get(service=service)


def detected(service: Service) -> Incident:
    """Probe until an incident is open, and return it."""
    probe(service)
    ids = detect.consume_changes(now=timezone.now())
    assert ids, f"no incident; {ServiceHealth.objects.get(service=service).verdict}"
    return Incident.objects.select_related("service").get(pk=ids[-1])


def run(incident: Incident) -> Incident:
    """Take the incident as far as it goes without a person, with the real parts, and return it afresh."""
    runner.run(incident.pk, providers.tools())
    return Incident.objects.select_related("service").get(pk=incident.pk)


def insert(path: Path, before: str, text: str) -> None:
    """Put `text` before the first line that contains `before`."""
    lines = path.read_text().splitlines(keepends=True)
    position = next(i for i, line in enumerate(lines) if before in line)
    path.write_text("".join([*lines[:position], text, *lines[position:]]))


def restart(service: Service) -> None:
    """Restart the service as planned, as an ordinary deploy does."""
    spec = service.spec()
    monitoring_providers.writer(spec).restart(spec)
    wait_for(lambda: answers(service))
