"""Walks `access_table.md`: every address, API call, console page, console action and socket, with every role and signed out.

The table is what people read and agree on; this file only asks whether it is true and whether anything is missing in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.testing import WebsocketCommunicator
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver, resolve

import agentops_site.urls  # noqa: F401 - the console's pages are registered there
from agentops_site.api import api
from agentops_site.asgi import application
from teams import tokens
from teams.apps import grant_managers
from teams.models import User
from tests.access_world import ROLES, World, build
from tests.conftest import PASSWORD

TABLE = Path(__file__).with_name("access_table.md")
COLUMNS = ("signed out", *ROLES)
METHODS = {"GET", "POST", "PATCH"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table: the first cell in words, and what each column says."""

    what: str
    says: dict[str, str]


def lines(section: str) -> list[Line]:
    """Return the lines of one section of the table."""
    text = TABLE.read_text().split(f"## {section}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [
        Line(what=what.replace("`", ""), says=dict(zip(COLUMNS, says, strict=True)))
        for what, *says in cells
    ]


@pytest.fixture
def people(
    viewer: User, bhumika: User, yash: User, shweta: User, maya: User
) -> dict[str, User | None]:
    """Return one person a column, with the console's permissions as `migrate` seeds them."""
    for app in ("teams", "incidents"):
        grant_managers(apps.get_app_config(app))
    known: dict[str, User | None] = {
        person.role: person for person in (viewer, bhumika, yash, shweta, maya)
    }
    return {"signed out": None, **known}


@pytest.fixture
def world(people: dict[str, User | None]) -> World:
    """Return the rows that addresses name; they belong to a person beside the table."""
    return build(User.objects.create_user("other@example.com", PASSWORD, role="viewer"))


def client_of(person: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if person is not None:
        client.force_login(person)
    return client


def judged(answer: Any) -> str:
    """Return what an answer means, in the words of the table."""
    to = answer.headers.get("Location", "") + answer.headers.get("HX-Redirect", "")
    if answer.status_code == 401 or to.startswith(("/accounts/login/", "/admin/login/")):
        return "sign in"
    if answer.status_code == 500:
        return "500"
    return {403: "no", 404: "not here"}.get(answer.status_code, "yes")


def asked(client: Client, what: str, world: World, **headers: str) -> str:
    """Ask one address of the table and return what it says; nothing that it did stays."""
    method, address, *given = what.split(maxsplit=2)
    data = json.loads(given[0].replace("{digest}", world.names["digest"])) if given else {}
    options: dict[str, Any] = {"headers": headers} if headers else {}
    if method != "GET":
        kind = "application/json" if "/api/" in address else None
        options |= {"data": json.dumps(data) if kind else data}
        options |= {"content_type": kind} if kind else {}
    with transaction.atomic():
        answer = getattr(client, method.lower())(world.address(address), **options)
        said = judged(answer)
        transaction.set_rollback(True)
    cache.clear()
    return said


@pytest.mark.parametrize("role", COLUMNS)
def test_every_page_lets_in_whom_the_table_says(
    people: dict[str, User | None], world: World, role: str
) -> None:
    wrong = []
    for line in lines("Pages"):
        said = asked(client_of(people[role]), line.what, world)
        if said != line.says[role]:
            wrong.append(f"{line.what}: {said}, not {line.says[role]}")
    assert wrong == []


@pytest.mark.parametrize("role", COLUMNS)
def test_every_call_of_the_api_is_open_to_whom_the_table_says(
    people: dict[str, User | None], world: World, role: str
) -> None:
    person = people[role]
    token = tokens.issue(person, "matrix", origin="test") if person else "none"
    wrong = []
    for line in lines("API"):
        said = asked(Client(raise_request_exception=False), line.what, world, authorization=f"Bearer {token}")  # fmt: skip
        if said != line.says[role]:
            wrong.append(f"{line.what}: {said}, not {line.says[role]}")
    assert wrong == []


@pytest.mark.parametrize("role", COLUMNS)
def test_the_console_shows_and_offers_what_the_table_says(
    people: dict[str, User | None], world: World, role: str
) -> None:
    person = people[role]
    request = RequestFactory().get("/admin/")
    request.user = person or AnonymousUser()
    found = {
        _name(model): _console(shown, request) for model, shown in admin.site._registry.items()
    }
    table = {line.what: line.says[role] for line in lines("Console")}
    assert found == table


def _name(model: type) -> str:
    return str(model._meta.label_lower)  # type: ignore[attr-defined]


def _console(shown: Any, request: Any) -> str:
    """Return what a person may do with a model: view, add, change, delete, and the actions by name."""
    if not admin.site.has_permission(request):
        return "sign in"
    asked = {
        "view": shown.has_view_permission(request),
        "add": shown.has_add_permission(request),
        "change": shown.has_change_permission(request),
        "delete": shown.has_delete_permission(request),
    }
    rights = [word for word, allowed in asked.items() if allowed]
    actions = sorted(shown.get_actions(request)) if rights else []
    faults = [name for name in actions if name.startswith("inject_")]
    named = [name for name in actions if name not in faults and name != "delete_selected"]
    named += ["inject_*"] if faults else []
    return " ".join(rights) + (f": {' '.join(named)}" if named else "") if rights else "no"


@pytest.mark.parametrize("role", [column for column in COLUMNS if column != "manager"])
def test_every_address_of_the_console_sends_all_but_managers_away(
    people: dict[str, User | None], role: str
) -> None:
    client = client_of(people[role])
    open_to_all = {"admin/login/", "admin/logout/", "admin/jsi18n/"}
    for pattern in _patterns(get_resolver()):
        if not pattern.startswith("admin/") or pattern in open_to_all:
            continue
        address = "/" + re.sub(r"<[^>]*>|\(\?P<[^>]*>[^)]*\)", "1", pattern).replace("\\Z", "").replace("$", "")  # fmt: skip
        assert judged(client.get(address)) in {"sign in", "not here"}, address


@pytest.mark.parametrize("role", COLUMNS)
@pytest.mark.django_db(transaction=True)
def test_every_socket_lets_in_whom_the_table_says(
    people: dict[str, User | None], world: World, role: str
) -> None:
    cookie = client_of(people[role]).cookies.get(settings.SESSION_COOKIE_NAME)
    for line in lines("Sockets"):
        said = async_to_sync(_opened)(world.address(line.what), cookie.value if cookie else "")
        assert said == line.says[role], line.what


async def _opened(address: str, session: str) -> str:
    """Open a socket, say something that no socket listens to, and return "yes" or how it was closed."""
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}".encode()
    headers = [(b"origin", b"http://127.0.0.1"), (b"host", b"127.0.0.1"), (b"cookie", cookie)]
    line = WebsocketCommunicator(application, address, headers=headers)
    connected, _ = await line.connect(timeout=5)
    try:
        if not connected:
            return "no"
        await line.send_to(text_data='{"type": "approve", "incident": 1}')
        said = await line.receive_output(timeout=1) if not await line.receive_nothing(0.3) else {}
        return f"closed {said['code']}" if said.get("type") == "websocket.close" else "yes"
    finally:
        await line.disconnect()


# --- nothing is missing in the table ---------------------------------------------------------------


def _patterns(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        here = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _patterns(entry, here)
        elif isinstance(entry, URLPattern):
            yield here


def _routes(section: str) -> set[str]:
    names = dict.fromkeys(
        [
            "incident",
            "report",
            "follow_up",
            "record",
            "notification",
            "channel",
            "place",
            "token",
            "debt",
        ],
        "1",
    ) | {"service": "shop", "digest": "x"}
    return {resolve(line.what.split()[1].format(**names)).route for line in lines(section)}


def test_every_address_is_in_the_table() -> None:
    known = _routes("Pages") | _routes("API")
    missing = {p for p in _patterns(get_resolver()) if not p.startswith("admin/")} - known
    assert missing == set()


def test_every_method_of_the_api_is_in_the_table() -> None:
    published = {
        (method.upper(), re.sub(r"\{[^}]*\}", "_", path))
        for path, methods in api.get_openapi_schema()["paths"].items()
        for method in methods
    }
    known = {
        (line.what.split()[0], re.sub(r"\{[^}]*\}", "_", line.what.split()[1]))
        for line in lines("API")
    }
    assert published - known == set()


def test_every_socket_is_in_the_table() -> None:
    from incidents.routing import websocket_urlpatterns as team
    from monitoring.live_socket import websocket_urlpatterns as live
    from shop.routing import websocket_urlpatterns as shoppers

    served = {f"/{pattern.pattern}" for pattern in (*team, *live, *shoppers)}
    assert served == {line.what.split("?")[0] for line in lines("Sockets")}


def test_the_table_uses_known_words_only() -> None:
    for section in ("Pages", "API"):
        for line in lines(section):
            assert line.what.split()[0] in METHODS, line.what
            assert set(line.says.values()) <= {"yes", "no", "sign in", "not here"}, line.what
