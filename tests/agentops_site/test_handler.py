"""The handler that serves: whole in one thread that stays, with what Django's own one promises."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished
from django.db import connections, transaction
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.utils import timezone

from agentops_site.handler import PooledHandler
from teams.models import User

pytestmark = pytest.mark.django_db(transaction=True)
meeting = threading.Barrier(2)
threads: list[str] = []


def people(request: HttpRequest) -> HttpResponse:
    """Ask the database, and say in what thread."""
    threads.append(threading.current_thread().name)
    return HttpResponse(f"{User.objects.count()} {request.method} {request.POST.get('name', '')}")


def meet(request: HttpRequest) -> HttpResponse:
    """Return when two requests are here at once."""
    meeting.wait(timeout=20)
    return HttpResponse("met")


def broken(request: HttpRequest) -> HttpResponse:
    """Fail in the middle of a transaction."""
    with transaction.atomic():
        User.objects.create_user(email="lost@example.com", name="Lost", password=None)
        raise ZeroDivisionError


def far_away(request: HttpRequest) -> HttpResponse:
    """Leave the thread in another time zone."""
    timezone.activate("Asia/Tokyo")
    return HttpResponse("")


def zone(request: HttpRequest) -> HttpResponse:
    """Say the time zone."""
    return HttpResponse(timezone.get_current_timezone_name())


def rows(request: HttpRequest) -> StreamingHttpResponse:
    """Stream what is read while it is sent."""
    return StreamingHttpResponse(f"{User.objects.count()};" for _ in range(3))


urlpatterns = [
    path("people/", people), path("meet/", meet), path("broken/", broken), path("rows/", rows),
    path("far/", far_away), path("zone/", zone),
]  # fmt: skip


@pytest.fixture
def handler(settings: Any) -> Iterator[PooledHandler]:
    """Return a handler for the addresses above, its threads ended afterwards."""
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.MIDDLEWARE = [
        name for name in settings.MIDDLEWARE if "csrf" not in name and "person" not in name
    ]
    threads.clear()
    made = PooledHandler()
    yield made
    made._pool.submit(connections.close_all).result()
    made._pool.shutdown()


def ask(
    handler: PooledHandler, *paths: str, method: str = "GET", body: bytes = b""
) -> list[tuple[int, bytes]]:
    """Send requests at once, as a server does, and return status and body of each."""

    async def one(where: str) -> tuple[int, bytes]:
        sent: list[dict[str, Any]] = []
        come = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            return come.pop() if come else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        kind = b"application/x-www-form-urlencoded"
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": where, "raw_path": where.encode(),
            "query_string": b"", "root_path": "", "scheme": "http", "server": ("testserver", 80),
            "client": ("127.0.0.1", 1), "headers": [(b"host", b"testserver"), (b"content-type", kind),
                                                    (b"content-length", str(len(body)).encode())],
        }  # fmt: skip
        await handler(scope, receive, send)
        text = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
        return sent[0]["status"], text

    async def all_of_them() -> list[tuple[int, bytes]]:
        return await asyncio.gather(*map(one, paths))

    return asyncio.run(all_of_them())


def test_a_form_is_answered(handler: PooledHandler) -> None:
    assert ask(handler, "/people/", method="POST", body=b"name=Ada") == [(200, b"0 POST Ada")]


def test_threads_stay_and_keep_their_connection(handler: PooledHandler) -> None:
    made: list[object] = []
    connection_created.connect(note := lambda **given: made.append(given["connection"]), weak=False)
    try:
        for _ in range(12):
            assert ask(handler, "/people/")[0][0] == 200
    finally:
        connection_created.disconnect(note)
    assert len(made) == len(set(threads)) < 12


def test_requests_do_not_wait_for_each_other(handler: PooledHandler) -> None:
    assert ask(handler, "/meet/", "/meet/") == [(200, b"met"), (200, b"met")]


def test_a_failure_is_a_page_and_leaves_nothing_behind(handler: PooledHandler) -> None:
    assert ask(handler, "/broken/")[0][0] == 500
    assert ask(handler, "/people/") == [(200, b"0 GET ")]


def test_what_a_request_sets_is_not_the_next_ones(handler: PooledHandler) -> None:
    ask(handler, "/far/")
    assert ask(handler, "/zone/") == [(200, b"UTC")]


@pytest.mark.parametrize("where", ["/people/", "/rows/", "/nowhere/"])
def test_a_request_is_finished_once(where: str, handler: PooledHandler) -> None:
    ends: list[object] = []
    request_finished.connect(note := lambda **given: ends.append(given["sender"]), weak=False)
    try:
        ((status, text),) = ask(handler, where)
    finally:
        request_finished.disconnect(note)
    assert ends == [PooledHandler]
    assert status == (404 if where == "/nowhere/" else 200)
    if where == "/rows/":
        assert text == b"0;0;0;"


def test_a_shopper_who_leaves_before_the_body_is_no_error(handler: PooledHandler) -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        raise AssertionError(message)

    asyncio.run(handler({"type": "http"}, gone, send))
    with pytest.raises(ValueError, match="HTTP"):
        asyncio.run(handler({"type": "websocket"}, gone, send))
