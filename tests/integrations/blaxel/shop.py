"""The demo shop in a sandbox of the stand-in, healthy and with a last known good state."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.utils import timezone

from agentops_site.integrations.blaxel import BlaxelRuntime
from incidents.models import Incident
from incidents.pipeline import detect
from monitoring import snapshots
from monitoring.faults.injection import inject
from monitoring.models import Service
from monitoring.values import HttpRequest, Tree
from tests.incidents.world import TARGET, free_port, probe, wait_for

RUNTIME = BlaxelRuntime()


@contextmanager
def running_shop(directory: Path, **fields: Any) -> Iterator[Service]:
    """Have a healthy shop at Blaxel for a while."""
    shutil.copytree(TARGET, directory, ignore=shutil.ignore_patterns("data", "__pycache__"))
    port = free_port()
    values: dict[str, Any] = {
        "name": "Shop API",
        "slug": f"shop-{os.getpid()}-{port}",
        "runtime": "blaxel",
        "directory": str(directory),
        "command": ["python3", "server.py", "{port}"],
        "port": port,
        "editable_globs": ["*.py", "config.json"],
        "data_globs": ["data/**"],
        "smoke_requests": [{"path": "/api/products"}, {"path": "/api/config"}],
        "autonomy": "auto",
        "is_demo": True,
        "limit_per_fingerprint": 100,
        "limit_per_service": 100,
    }
    service = Service.objects.create(**{**values, **fields})
    RUNTIME.start(service.spec())
    wait_for(lambda: answers(service) == 200)
    wait_for(lambda: probe(service).state == "healthy")
    assert snapshots.capture(service=service, reason="test", now=timezone.now())
    try:
        yield service
    finally:
        RUNTIME.stop(service.spec())


def answers(service: Service, path: str = "/health") -> int:
    """Return the status that the service answers with, 0 when it does not answer."""
    return RUNTIME.request(service.spec(), HttpRequest(path=path), 3.0).status or 0


def files(service: Service) -> Tree:
    """Return the service's editable files as they are in the sandbox."""
    return RUNTIME.read_tree(service.spec())


def broken(service: Service, fault: str) -> Incident:
    """Inject a fault and return the incident that follows."""
    inject(service=service, fault=fault, actor=None, now=timezone.now())
    wait_for(lambda: probe(service).state in {"down", "degraded"})
    (number,) = detect.consume_changes(now=timezone.now())
    return Incident.objects.select_related("service").get(pk=number)


def story(incident: Incident) -> list[str]:
    """Return the timeline in words."""
    return [f"{entry.duration_ms} {entry.text}" for entry in incident.timeline.all()]
