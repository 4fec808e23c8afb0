"""A service that none of us wrote: pypiserver, copied from where it is installed, is watched, broken and healed.

It has another shape than our own patients: one thread under wsgiref, Bottle, errors as HTML pages with the traceback in
the log alone, and a health path that says no more than "Ok".
"""

from __future__ import annotations

import itertools
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.utils import timezone

from incidents.models import Fix, Incident
from incidents.pipeline import approvals, detect
from incidents.states import Status
from monitoring import providers
from monitoring.models import Service
from teams.models import User
from tests.incidents.world import answers, free_port, healthy, probe, run, wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
_numbers = itertools.count(1)


@pytest.fixture
def index(tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a running package index with one package in it."""
    found = find_spec("pypiserver")
    assert found is not None
    assert found.origin is not None
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(found.origin).parent, tmp_path / "pypiserver", ignore=ignored)
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "demo-1.0.tar.gz").write_bytes(b"not much")
    command = "python3 -m pypiserver run -v -i 127.0.0.1 -p {port} --server wsgiref packages"
    service = healthy(
        name="Package index",
        slug=f"index-{free_port()}-{next(_numbers)}",
        directory=str(tmp_path),
        command=command.split(),
        port=free_port(),
        editable_globs=["pypiserver/**/*.py", "pypiserver/*.html"],
        data_globs=["packages/**"],
        smoke_requests=[{"path": "/simple/"}, {"path": "/packages/"}],
        autonomy="auto",
        deep_every=1,
        timeout=1.0,
    )
    try:
        yield service
    finally:
        providers.writer(service.spec()).stop(service.spec())


def change(service: Service, file: str, old: str, new: str) -> None:
    """Edit one of its files, in which `old` stands once."""
    path = Path(service.directory, "pypiserver", file)
    text = path.read_text()
    assert text.count(old) == 1, (file, old)
    path.write_text(text.replace(old, new))


def restart(service: Service) -> None:
    spec = Service.objects.get(pk=service.pk).spec()
    providers.writer(spec).restart(spec)


def raises(service: Service) -> None:
    change(
        service, "_app.py", "def simpleindex():\n", "def simpleindex():\n    links = every_link()\n"
    )
    restart(service)


def does_not_import(service: Service) -> None:
    change(service, "backend.py", "from .core import PkgFile", "from .core import PackageFile")
    restart(service)


def is_slow(service: Service) -> None:
    pause = "def log_request():\n    import time\n    time.sleep(10)\n"
    change(service, "_app.py", "def log_request():\n", pause)
    restart(service)


def is_killed(service: Service) -> None:
    providers.writer(service.spec()).kill(service.spec(), signal.SIGKILL)


def has_a_bad_variable(service: Service) -> None:
    Service.objects.filter(pk=service.pk).update(environment={"PYTHONHASHSEED": "banana"})
    restart(service)


@dataclass(frozen=True)
class Case:
    """One way to break it, and the truth: the kind of cause, the file, and a text on the line to blame."""

    breaks: Callable[[Service], None]
    category: str
    file: str = ""
    line: str = ""


CASES = [
    Case(raises, "code", "pypiserver/_app.py", "links = every_link()"),
    Case(does_not_import, "startup", "pypiserver/backend.py", "import PackageFile"),
    Case(is_slow, "slow", "pypiserver/_app.py", "time.sleep(10)"),
    Case(is_killed, "crash"),
    Case(has_a_bad_variable, "config"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.breaks.__name__)
def test_it_is_diagnosed_and_healed(index: Service, shweta: User, case: Case) -> None:
    file, line = case.file, case.line
    case.breaks(index)
    broken = sources(index)
    wait_for(lambda: probe(index).state in {"down", "degraded"})
    (number,) = detect.consume_changes(now=timezone.now())

    incident = healed(Incident.objects.select_related("service").get(pk=number), shweta)

    story = [entry.text for entry in incident.timeline.all()]
    found = incident.diagnoses.get()
    assert (found.category, found.file) == (case.category, file), found.root_cause
    if line:
        assert line in broken[file].split("\n")[(found.line or 0) - 1]
    assert incident.status == Status.RESOLVED, story
    assert (answers(index), answers(index, "/simple/"), answers(index, "/packages/")) == (200,) * 3
    assert "banana" not in Service.objects.get(pk=index.pk).environment.values()
    if line:
        assert line not in sources(index)[file]


def sources(service: Service) -> dict[str, str]:
    root = Path(service.directory)
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*.py")}


def healed(incident: Incident, lead: User) -> Incident:
    """Take the incident to its end; a lead approves the fix where the policy asks for one."""
    incident = run(incident)
    if incident.status == Status.AWAITING_APPROVAL:
        digest = incident.fixes.get(state=Fix.State.CHOSEN).digest
        approvals.authorise(incident_id=incident.pk, fix_digest=digest, person=lead)
        incident = run(incident)
    return incident
