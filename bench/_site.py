"""A web server of AgentOps with a broker and a database of its own, filled from this process: for what pages and pushes cost."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from teams.models import User
    from tests.browser.stack import Web

START_LIMIT = 120.0


@contextmanager
def site() -> Iterator[Web]:
    """Have Django set up here on a new database, and a web server on that database; all of it goes away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="agentops-site-"))
    os.environ |= {"AGENTOPS_DATA": str(folder / "data"), "AGENTOPS_DEMO": "0", "DATABASE_URL": ""}
    os.environ |= {"DJANGO_SETTINGS_MODULE": "agentops_site.settings", "LOG_LEVEL": "ERROR"}
    (folder / "data").mkdir()
    from tests.browser.stack import Broker, Web, wait_for

    broker = Broker(folder)
    broker.start()
    os.environ["REDIS_URL"] = broker.url
    try:
        _prepare()
        (folder / "static").symlink_to(
            folder / "data" / "static"
        )  # of the server, which has a data folder of its own
        web = Web(folder, broker)
        with suppress(
            AssertionError
        ):  # its own limit is that of a test; a busy machine takes longer
            web.start()
        wait_for(web._answers, limit=START_LIMIT)
        yield web
        web.kill()
    finally:
        broker.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _prepare() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)


def person(number: int, role: str) -> User:
    """Return a new person with a role; nobody can sign in with a password."""
    from teams.models import User
    from teams.people import settle_role

    made = User(email=f"{role}-{number}@example.com", role=role, display_name=f"{role} {number}")
    made.set_unusable_password()
    made.save()
    settle_role(made)
    return made


def cookie_of(who: User) -> str:
    """Return the cookie header of a new session of a person."""
    from django.conf import settings

    from tests.browser.fixtures import session_of

    return f"{settings.SESSION_COOKIE_NAME}={session_of(who)}"


def many_incidents(service: Any, count: int) -> None:
    """Add incidents as an old installation has them: the newest dozen open in every state, all others ended, over months."""
    from datetime import timedelta

    from django.utils import timezone

    from incidents.models import Incident

    now = timezone.now()
    ends = ["RESOLVED", "RECOVERED", "REJECTED", "CLOSED"]
    opened = ["AWAITING_APPROVAL", "ESCALATED", "TESTING"]
    before = Incident.objects.count()
    Incident.objects.bulk_create(
        Incident(
            service=service,
            fingerprint=f"bench-{before + number}",
            title=f"{service.name}: KeyError on GET /api/products/{number}",
            status=opened[number % 3] if number < 12 else ends[number % 4],
            step="",
            severity=["low", "medium", "high", "blocker"][number % 4],
            failure={"symptom": "http_error", "error_type": "KeyError"},
            failed_since=now - timedelta(minutes=20 * number, seconds=2),
            detected_at=now - timedelta(minutes=20 * number),
            ended_at=None if number < 12 else now - timedelta(minutes=20 * number - 2),
        )
        for number in range(count)
    )
