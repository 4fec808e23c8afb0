"""The storefront with the real shop behind it: a process of target_app, the local runtime, the real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from monitoring.models import Service, ServiceHealth
from shop import shelf, target, tracking
from tests.shop.store import Store
from tests.target_app.shop import Shop


@pytest.fixture(autouse=True)
def fresh_process_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what this process remembers between requests, and keep pushes here: they are the network's edge."""
    shelf._kept.clear()
    tracking._seen.clear()
    monkeypatch.setattr(target, "_known", None)
    target.hung.forget()
    monkeypatch.setattr("monitoring.realtime._send", lambda message: None)
    monkeypatch.setattr("monitoring.watching.note", lambda what: None)


@pytest.fixture
def target_shop(tmp_path: Path) -> Iterator[Shop]:
    """A running copy of the shop's API."""
    shop = Shop.copied_to(tmp_path / "shop")
    try:
        yield shop.start()
    finally:
        if shop.process is not None and shop.process.poll() is None:
            shop.kill()


def register(shop: Shop) -> Service:
    """Make the service row that the storefront asks."""
    service = Service.objects.create(
        name="Shop",
        slug="shop",
        directory=str(shop.directory),
        command=["python3", "server.py", "{port}"],
        port=shop.port,
        editable_globs=["*.py", "config.json"],
    )
    ServiceHealth.objects.create(service=service)
    return service


@pytest.fixture
def service(db: None, target_shop: Shop) -> Service:
    """The registered shop."""
    return register(target_shop)


@pytest.fixture
def store(service: Service, target_shop: Shop) -> Store:
    """A shopper's browser at the storefront."""
    return Store(Client(), target_shop)
