"""What the web server itself guards: each would be believed, taken or told if an option of it were another."""

from __future__ import annotations

import socket
import urllib.parse
from http.client import HTTPConnection

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from websockets.sync.client import connect
from websockets.typing import Origin

from teams.models import User
from tests.browser.fixtures import broker, data_folder, running_web, session_of, web
from tests.browser.stack import Web

__all__ = ["broker", "data_folder", "running_web", "web"]


def asked(web: Web, method: str, path: str, **more: object) -> tuple[int, dict[str, str], str]:
    line = HTTPConnection("127.0.0.1", web.port, timeout=20)
    line.request(method, path, **more)  # type: ignore[arg-type]
    answer = line.getresponse()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    found = answer.status, headers, answer.read().decode()
    line.close()
    return found


def test_nobody_says_for_himself_from_where_he_comes(web: Web, shweta: User) -> None:
    _, headers, _ = asked(web, "GET", settings.LOGIN_URL)
    cookie = headers["set-cookie"].partition(";")[0]
    token = cookie.partition("=")[2]
    form = {"username": shweta.email, "password": "wrong", "csrfmiddlewaretoken": token}
    status, _, _ = asked(
        web,
        "POST",
        settings.LOGIN_URL,
        body=urllib.parse.urlencode(form),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Cookie": cookie,
            "X-Forwarded-For": "203.0.113.9",
        },
    )
    assert status == 200
    assert [row.ip_address for row in AccessAttempt.objects.all()] == ["127.0.0.1"]


def test_the_server_does_not_say_what_it_is(web: Web) -> None:
    _, headers, _ = asked(web, "GET", "/offline/")
    assert "server" not in headers


def test_a_head_without_an_end_is_cut_off(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: ")
        with pytest.raises(OSError):  # noqa: PT011 - reset or broken pipe, whichever comes first
            line.sendall(b"x" * 26_000_000)


def test_a_pushed_message_is_not_compressed_for_each_page_anew(web: Web, shweta: User) -> None:
    cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session_of(shweta)}"}
    address = f"ws://127.0.0.1:{web.port}/ws/?page=any"
    with connect(
        address, additional_headers=cookie, origin=Origin(web.url), compression="deflate"
    ) as line:
        assert line.protocol.extensions == []
