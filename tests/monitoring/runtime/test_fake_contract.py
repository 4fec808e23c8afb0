"""The runtime contract on the fake, so that tests which use it prove something."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitoring.values import Answer, HttpRequest, Tree
from tests.fakes.runtime import FakeRuntime
from tests.monitoring.runtime.contract import RuntimeContract, Target
from tests.monitoring.runtime.helpers import spec_of


class TestFakeRuntime(RuntimeContract):
    """Runs the contract on `FakeRuntime`."""

    @pytest.fixture
    def target(self, tmp_path: Path) -> Target:
        fake = FakeRuntime(respond=_answer)
        spec = spec_of(tmp_path)
        fake.trees[spec.slug] = {"server.py": b"# a server"}
        return Target(fake, spec)


def _answer(_tree: Tree, request: HttpRequest) -> Answer:
    by_path = {
        "/endless": Answer(status=200, body=b"x" * 1_000_000, truncated=True),
        "/binary": Answer(status=200, body=bytes(range(256)) * 40),
        "/hang": Answer(status=200, elapsed_ms=60_000),
    }
    return by_path.get(request.path, Answer(status=200, body=b"hello again"))
