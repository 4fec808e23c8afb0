"""A real Chromium in front of a real server; without a Chromium the tests are left out, unless that is forbidden."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from teams.models import User
from tests.browser.fixtures import broker, data_folder, running_web, session_of, web
from tests.browser.stack import Web

__all__ = ["broker", "data_folder", "running_web", "web"]

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SignIn = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


def _chromium() -> str:
    found = os.environ.get("CHROMIUM", "") or "/usr/bin/chromium"
    return found if Path(found).exists() else shutil.which("chromium") or ""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start one Chromium for the run."""
    path = _chromium()
    if not path:
        reason = "no Chromium: install the package chromium, or name one in CHROMIUM"
        if os.environ.get("AGENTOPS_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    # Playwright keeps an event loop in this thread, for which Django would refuse every query of a test.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=ARGUMENTS, headless=True)
        yield launched
        launched.close()
    os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE", None)


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
    """Return a function that opens an address as a person, at a width and in a theme."""
    contexts: list[BrowserContext] = []

    def open_as(person: User, path: str, *, width: int = 1440, dark: bool = False) -> Watched:
        context = browser.new_context(
            viewport={"width": width, "height": 900 if width > 600 else 844},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
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
