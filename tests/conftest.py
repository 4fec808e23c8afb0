"""What every test may ask for: the cast, and a fresh place for data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.hashers import make_password

from teams.default_matrix import rows
from teams.models import AuditHead, MatrixRow, User
from teams.people import settle_role
from teams.roles import Role

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Folders and files whose tests start processes, servers or sandboxes: seconds each, so the two-minute run leaves them out.
REAL_PARTS = (
    "integrations/",
    "launcher/",
    "monitoring/faults/",
    "monitoring/runtime/",
    "incidents/pipeline/",
    "incidents/engine/test_corpus",
    "incidents/engine/test_reverts",
    "incidents/test_socket",
    "shop/",
    "target_app/",
    "teams/test_audit_concurrency",
    "test_access_matrix",
    "third_party/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests with real parts as slow, by where they lie."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.path.relative_to(here).as_posix().startswith(
            REAL_PARTS
        ):
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Run the browser last: Playwright's event loop stays in this thread, and calls of async code fail from then on."""
    session.items.sort(key=lambda item: "browser" in getattr(item, "fixturenames", ()))


CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _chromium() -> str:
    found = os.environ.get("CHROMIUM", "") or "/usr/bin/chromium"
    return found if Path(found).exists() else shutil.which("chromium") or ""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the one Chromium of the run: two Playwrights in one thread refuse each other."""
    path = _chromium()
    if not path:
        reason = "no Chromium: install the package chromium, or name one in CHROMIUM"
        if os.environ.get("AGENTOPS_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright  # a run without a browser need not load it

    # Playwright keeps an event loop in this thread, for which Django would refuse every query of a test.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path, args=CHROMIUM_ARGUMENTS, headless=True
        )
        yield launched
        launched.close()
    os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)


@pytest.fixture
def matrix(db: None) -> None:
    """Have the default rights: a test that commits for real ends by emptying every table, migrations' rows too."""
    if not MatrixRow.objects.exists():
        MatrixRow.objects.bulk_create(
            MatrixRow(role=role, verb=verb, up_to=up_to) for role, verb, up_to in rows()
        )
    AuditHead.objects.get_or_create(pk=1)


PASSWORD = "correct horse battery"  # noqa: S105 - of people who live in the test database


@cache
def _hashed() -> str:
    return make_password(PASSWORD)  # Argon2 costs a tenth of a second: once a run, not once a test


def _person(email: str, role: Role, name: str) -> User:
    person = User(email=email, password=_hashed(), role=role, display_name=name)
    person.save()
    settle_role(person)
    return person


@pytest.fixture
def shweta(matrix: None) -> User:
    """Return the team lead."""
    return _person("shweta@example.com", Role.TEAM_LEAD, "Shweta")


@pytest.fixture
def yash(matrix: None) -> User:
    """Return the senior developer."""
    return _person("yash@example.com", Role.SENIOR_DEV, "Yash")


@pytest.fixture
def bhumika(matrix: None) -> User:
    """Return the junior developer."""
    return _person("bhumika@example.com", Role.JUNIOR_DEV, "Bhumika")


@pytest.fixture
def maya(matrix: None) -> User:
    """Return the manager."""
    return _person("manager@example.com", Role.MANAGER, "Maya")


@pytest.fixture
def viewer(matrix: None) -> User:
    """Return somebody who may only look."""
    return _person("viewer@example.com", Role.VIEWER, "Vikram")
