from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.target_app.shop import Shop


def _running(shop: Shop) -> Iterator[Shop]:
    try:
        yield shop.start()
    finally:
        if shop.process is not None and shop.process.poll() is None:
            shop.kill()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One shop for all tests of a module, for those that do not depend on its former orders."""
    yield from _running(Shop.copied_to(tmp_path_factory.mktemp("shared") / "shop"))


@pytest.fixture
def own_shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop of its own for a test that breaks, edits or counts."""
    yield from _running(Shop.copied_to(tmp_path / "shop"))
