"""A real Chromium that sees our templates and static files under the strict policy, without a server."""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from playwright.sync_api import Browser, BrowserContext, Page, Route

from agentops_site.middleware import STRICT_POLICY

ORIGIN = "http://agentops.test"
Open = Callable[..., "Opened"]


class Opened:
    """A page on show, with everything that it complained about."""

    def __init__(self, page: Page) -> None:
        """Listen to the page's console and errors."""
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@pytest.fixture
def show(browser: Browser) -> Iterator[Open]:
    """Return a function that shows HTML by path, at a width and in a theme."""
    contexts: list[BrowserContext] = []

    def open_page(answers: dict[str, Callable[[], str]], **options: Any) -> Opened:
        options = {"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce"} | options
        contexts.append(browser.new_context(**options))
        contexts[-1].route(f"{ORIGIN}/**", lambda route: _answer(route, answers))
        return Opened(contexts[-1].new_page())

    yield open_page
    for context in contexts:
        context.close()


def _answer(route: Route, answers: dict[str, Callable[[], str]]) -> None:
    path = urlsplit(route.request.url).path
    if path in answers:
        headers = {
            "Content-Security-Policy": STRICT_POLICY,
            "Content-Type": "text/html; charset=utf-8",
        }
        route.fulfill(body=answers[path](), headers=headers)
        return
    found = finders.find(path.removeprefix("/static/"))
    if not isinstance(found, str):
        route.fulfill(status=404, body="no such file")
        return
    kind = mimetypes.guess_type(found)[0] or "application/octet-stream"
    route.fulfill(body=Path(found).read_bytes(), headers={"Content-Type": kind})
