"""The commands that start, stop and keep services, and the one that seeds the demo."""

from __future__ import annotations

import json
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from agentops_site.integrations.local import LocalRuntime
from monitoring.configuration import problems
from monitoring.keeper.child import Spec
from monitoring.keeper.client import KeeperClient, checkout
from monitoring.models import Service
from monitoring.values import HttpRequest
from teams.models import User
from tests.monitoring.runtime.conftest import MakeService
from tests.monitoring.runtime.helpers import until

MakeRow = Callable[..., Service]


@pytest.fixture
def row(make_service: MakeService) -> Iterator[MakeRow]:
    """Make a row of `Service` for a sample service."""

    def make(**fields: object) -> Service:
        spec = make_service(str(fields.pop("code", "import time; time.sleep(60)")))
        made = {
            "name": spec.slug,
            "slug": spec.slug,
            "directory": spec.directory,
            "port": spec.port,
        }
        return Service.objects.create(**{**made, "command": list(spec.command), **fields})

    yield make
    Service.objects.all().delete()


def phase(service: Service) -> str:
    return LocalRuntime().process(service.spec()).phase


def said(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_starting_goes_on_past_a_service_that_cannot_start(row: MakeRow) -> None:
    good, bad = row(), row(directory="/nowhere/at/all")
    off, watched_only = row(enabled=False), row(command=[])
    out = StringIO()
    with pytest.raises(CommandError, match="1 of 2 services"):
        call_command("start_services", stdout=out)
    assert f"{good.slug}: running" in out.getvalue()
    assert f"failed: {bad.slug}: there is no directory" in out.getvalue()
    assert [phase(one) for one in (good, bad, off, watched_only)] == ["running"] + ["absent"] * 3


@pytest.mark.django_db
def test_stopping_leaves_what_outlives_agentops_unless_all_is_asked(row: MakeRow) -> None:
    ours, theirs = row(stop_with_agentops=True), row()
    said("start_services")
    assert ours.slug in said("stop_services")
    assert [phase(ours), phase(theirs)] == ["stopped", "running"]
    said("stop_services", "--all")
    assert phase(theirs) == "stopped"


@pytest.mark.django_db
@pytest.mark.parametrize(("slug", "text"), [("nowhere", "no local service"), ("", "no directory")])
def test_keeping_refuses_what_cannot_be_kept(row: MakeRow, slug: str, text: str) -> None:
    lost = row(directory="/nowhere/at/all")
    with pytest.raises(CommandError, match=text):
        call_command("keep_service", slug or lost.slug)


def test_a_keeper_in_the_foreground_ends_with_its_service(
    runtime: LocalRuntime, make_service: MakeService, settings: LazySettings
) -> None:
    """What `keep_service` becomes: it is executed in place of the command."""
    spec = make_service()
    client = KeeperClient(settings.DATA_DIR, spec.slug)
    words = [sys.executable, "server.py", str(spec.port)]
    client.write_spec(Spec(command=words, directory=spec.directory, environment={}))
    keeper = subprocess.Popen(client.command(detach=False), cwd=checkout())  # noqa: S603
    until(lambda: runtime.request(spec, HttpRequest(), 1).status == 200)
    assert client.state().keeper_pid == keeper.pid
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(5) == 0
    assert runtime.process(spec).phase == "stopped"


def test_the_keeper_is_small_and_knows_nothing_of_django() -> None:
    code = (
        "import sys, monitoring.keeper.__main__;"
        "print([name for name in ('django', 'dataclasses', 'inspect', 'asyncio') if name in sys.modules])"
    )
    loaded = subprocess.run(  # noqa: S603
        [sys.executable, "-E", "-s", "-S", "-c", code],
        cwd=checkout(), capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert loaded.stdout.strip() == "[]"


@pytest.mark.django_db
def test_the_demo_is_seeded_once_and_never_overwritten(
    settings: LazySettings, tmp_path: Path, matrix: None
) -> None:
    settings.DEMO_MODE, settings.DATA_DIR = True, tmp_path
    said("seed_demo")
    kept = tmp_path / "demo.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    facts = json.loads(kept.read_text())
    assert facts["people"][0]["email"] == "shweta@example.com"
    shop = Service.objects.get(slug="shop")
    assert problems(shop) == {}
    edited = Path(shop.directory) / "handler.py"
    edited.write_text("# edited")
    said("seed_demo")
    assert edited.read_text() == "# edited"
    assert json.loads(kept.read_text()) == facts
    assert Service.objects.count() == 1
    assert User.objects.get(email="shweta@example.com").check_password(facts["password"])


@pytest.mark.django_db
def test_a_lost_password_of_the_demo_is_made_anew(
    settings: LazySettings, tmp_path: Path, matrix: None
) -> None:
    settings.DEMO_MODE, settings.DATA_DIR = True, tmp_path
    said("seed_demo")
    (tmp_path / "demo.json").write_text("{")
    said("seed_demo")
    password = json.loads((tmp_path / "demo.json").read_text())["password"]
    assert User.objects.get(email="yash@example.com").check_password(password)


@pytest.mark.django_db
def test_nothing_is_seeded_outside_demo_mode(settings: LazySettings, tmp_path: Path) -> None:
    settings.DEMO_MODE, settings.DATA_DIR = False, tmp_path
    with pytest.raises(CommandError, match="demo mode only"):
        said("seed_demo")
    assert not list(tmp_path.iterdir())


@pytest.mark.django_db
def test_the_demo_moves_to_a_free_port_when_its_own_was_taken_meanwhile(
    settings: LazySettings, tmp_path: Path, matrix: None
) -> None:
    settings.DEMO_MODE, settings.DATA_DIR = True, tmp_path
    said("seed_demo")
    first = Service.objects.get(slug="shop").port
    with socket.create_server(("127.0.0.1", first)):
        said("seed_demo")
        moved = Service.objects.get(slug="shop").port
        assert moved != first
    said("seed_demo")
    assert Service.objects.get(slug="shop").port == moved
