"""Broker and server for tests that need the real thing; import what a folder needs into its conftest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from monitoring import realtime
from teams.models import User
from tests.browser.stack import Broker, Web


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of broker and server."""
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="session")
def broker(data_folder: Path) -> Iterator[Broker]:
    """Start a Valkey for the run."""
    started = Broker(data_folder)
    started.start()
    yield started
    started.stop()


@pytest.fixture(scope="session")
def running_web(
    django_db_setup: None, django_db_blocker: Any, data_folder: Path, broker: Broker
) -> Iterator[Web]:
    """Start the server once for the run."""
    with django_db_blocker.unblock():
        web = Web(data_folder, broker)
    web.start()
    yield web
    web.kill()


@pytest.fixture
def web(running_web: Web, broker: Broker, transactional_db: None, settings: Any) -> Web:
    """Return the server on the database of this test, which publishes to the server's broker."""
    settings.REDIS_URL = broker.url
    realtime._silent_until, realtime._missed = (
        0.0,
        False,
    )  # what a test before this one did to its broker is over
    return running_web


def session_of(person: User) -> str:
    """Return the key of a new session of a signed-in person."""
    client = Client()
    client.force_login(person, backend="teams.backend.PeopleBackend")
    return client.cookies[django_settings.SESSION_COOKIE_NAME].value
