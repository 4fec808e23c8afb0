"""A local service of our own for each test, ended afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentops_site.integrations.local import LocalRuntime
from monitoring.values import ServiceSpec
from tests.monitoring.runtime.helpers import PLAIN, SAMPLES, spec_of

MakeService = Callable[..., ServiceSpec]


@pytest.fixture
def runtime() -> LocalRuntime:
    return LocalRuntime()


@pytest.fixture
def make_service(tmp_path: Path, runtime: LocalRuntime) -> Iterator[MakeService]:
    made: list[ServiceSpec] = []

    def make(code: str = PLAIN, **changes: Any) -> ServiceSpec:
        directory = tmp_path / f"service{len(made)}"
        sample = changes.pop("sample", "")
        if sample:
            shutil.copytree(SAMPLES / sample, directory)
        else:
            directory.mkdir()
            (directory / "server.py").write_text(code)
        made.append(spec_of(directory, **changes))
        return made[-1]

    yield make
    for spec in made:
        runtime.stop(spec)
