"""A real Chromium in front of a real server; without a Chromium the tests are left out, unless that is forbidden."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

from teams.models import User
from tests.browser.fixtures import broker, data_folder, running_web, session_of, web
from tests.browser.stack import Web

__all__ = ["broker", "data_folder", "running_web", "web"]

SignIn = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


class Watched:
    """A page with everything that it complained about."""

    def __init__(self, page: Page) -> None:
        """Listen to the console and to errors."""
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


OpenPage = Callable[..., Watched]


@pytest.fixture
def open_page(browser: Browser, web: Web) -> Iterator[OpenPage]:
    """Return a function that opens an address as a person, at a width, in a theme, by mouse or by touch."""
    contexts: list[BrowserContext] = []

    def open_as(
        person: User, path: str, *, width: int = 1440, dark: bool = False, touch: bool = False
    ) -> Watched:
        context = browser.new_context(
            viewport={"width": width, "height": 900 if width > 600 else 844},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            has_touch=touch,
            is_mobile=touch,
            base_url=web.url,
        )
        contexts.append(context)
        cookie = {"name": django_settings.SESSION_COOKIE_NAME, "value": session_of(person)}
        context.add_cookies([{**cookie, "url": web.url}])  # type: ignore[typeddict-item]
        watched = Watched(context.new_page())
        watched.page.goto(path)
        return watched

    yield open_as
    for context in contexts:
        context.close()
