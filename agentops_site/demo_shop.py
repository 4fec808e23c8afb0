"""The demo service: a copy of `target_app/`, and the row that says how it is watched."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from monitoring import providers
from monitoring.configuration import ensure_health
from monitoring.models import Service

SLUG = "shop"
FIRST_PORT = 3000
SMOKE_REQUESTS = [
    {"method": "GET", "path": path}
    for path in (
        "/api/products",
        "/api/products/stoneware-mug",
        "/api/orders?limit=5",
        "/api/users?limit=5",
        "/api/analytics",
        "/api/config",
    )
]
INVARIANTS: list[dict[str, Any]] = [
    {
        "name": "no product has negative stock",
        "request": {"path": "/api/products"},
        "each": "$.items[*].stock",
        "is": ">= 0",
    },
    {
        "name": "every product has a price",
        "request": {"path": "/api/products"},
        "each": "$.items[*].price_cents",
        "is": "> 0",
    },
    {
        "name": "the lines of an order add up to its subtotal",
        "request": {"path": "/api/orders?limit=20"},
        "in": "$.items[*]",
        "sum": "$.items[*].total_cents",
        "equals": "$.subtotal_cents",
    },
]


def seed_shop(data: Path) -> Service:
    """Copy the shop and register it where that has not been done; files that are there are never overwritten."""
    directory = data / "services" / SLUG
    if not directory.exists():
        _copy(settings.BASE_DIR / "target_app", directory)
    service = Service.objects.filter(slug=SLUG).first()
    if service is None:
        service = Service.objects.create(slug=SLUG, **_fields(directory))
    elif _port_is_lost(service):
        service.port = _free_port()
        service.save(update_fields=["port"])
    ensure_health(now=timezone.now())
    return service


def _port_is_lost(service: Service) -> bool:
    """Return whether somebody else took the port while the shop was stopped: the demo then moves to a free one."""
    running = providers.reader(service.spec()).process(service.spec()).phase == "running"
    return service.is_demo and not running and not _can_bind(service.port)


def _copy(source: Path, directory: Path) -> None:
    # Under another name first: a copy that was cut short must not pass for the service.
    draft = directory.with_name(f".{SLUG}.copying")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(source, draft, ignore=shutil.ignore_patterns("__pycache__", "data"))
    draft.rename(directory)


def _fields(directory: Path) -> dict[str, Any]:
    return {
        "name": "Shop API",
        "directory": str(directory),
        "command": ["python3", "server.py", "{port}"],
        "port": _free_port(),
        "health_path": "/health",
        "editable_globs": ["*.py", "config.json"],
        "data_globs": ["data/**"],
        "smoke_requests": SMOKE_REQUESTS,
        "invariants": INVARIANTS,
        "interval": settings.MONITOR_INTERVAL,
        "autonomy": Service.Autonomy.AUTO,
        "auto_ceiling": "medium",
        "limit_per_fingerprint": 100,
        "limit_per_service": 100,
        "is_demo": True,
        "stop_with_agentops": True,
    }


def _free_port() -> int:
    taken = set(Service.objects.values_list("port", flat=True))
    for port in range(FIRST_PORT, FIRST_PORT + 500):
        if port not in taken and _can_bind(port):
            return port
    return _any_port()


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
