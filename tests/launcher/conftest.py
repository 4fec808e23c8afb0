"""Fixtures for tests of the launcher: throwaway checkouts and the stacks started in them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.ports import free_port
from tests.launcher.checkout import Launched, make_checkout, wait_until

Launch = Callable[..., Launched]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "with space"
    folder.mkdir()
    return make_checkout(folder)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def launch(checkout: Path, port: int) -> Iterator[Launch]:
    """Start `up` in the checkout; whatever a test leaves running ends with it."""
    started: list[Launched] = []

    def start(*options: str, **env: str) -> Launched:
        launched = Launched(checkout, port, *options, **env)
        started.append(launched)
        return launched

    yield start
    for launched in started:
        launched.end()
    wait_until(lambda: all(launched.is_gone() for launched in started), "nothing left")
    shutil.rmtree(checkout / "var", ignore_errors=True)
