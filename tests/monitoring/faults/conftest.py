"""A running copy of the demo shop, ended afterwards."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from agentops_site.demo_shop import INVARIANTS, SMOKE_REQUESTS
from monitoring import providers
from monitoring.models import Service, ServiceHealth
from monitoring.values import HttpRequest
from tests.monitoring.runtime.helpers import free_port, until


@pytest.fixture
def shop(db: None, matrix: None, tmp_path: Path) -> Iterator[Service]:
    directory = tmp_path / "shop"
    shutil.copytree(
        settings.BASE_DIR / "target_app",
        directory,
        ignore=shutil.ignore_patterns("data", "__pycache__"),
    )
    port = free_port()
    service = Service.objects.create(
        name="Shop API",
        slug=f"faulty-{os.getpid()}-{port}",
        directory=str(directory),
        command=["python3", "server.py", "{port}"],
        port=port,
        editable_globs=["*.py", "config.json"],
        data_globs=["data/**"],
        smoke_requests=SMOKE_REQUESTS,
        invariants=INVARIANTS,
        is_demo=True,
    )
    ServiceHealth.objects.create(service=service)
    providers.writer(service.spec()).start(service.spec())
    until(lambda: status(service) == 200)
    yield service
    providers.writer(service.spec()).stop(service.spec())


def status(service: Service, path: str = "/health") -> int | str:
    """Return the status of an answer, or how asking failed."""
    spec = service.spec()
    answer = providers.reader(spec).request(spec, HttpRequest(path=path), spec.timeout)
    return answer.status or answer.failure
