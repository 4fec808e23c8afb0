"""A real Chromium at a real server with the real shop behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, BrowserContext

from monitoring import realtime, watching
from monitoring.models import Service
from teams.models import User
from tests.browser.conftest import Watched
from tests.browser.fixtures import broker, data_folder, running_web, session_of, web
from tests.browser.stack import Web
from tests.shop.conftest import register
from tests.target_app.shop import Shop

__all__ = ["broker", "data_folder", "running_web", "web"]
REAL_SEND, REAL_NOTE = realtime._send, watching.note
Visit = Callable[..., Watched]


@pytest.fixture
def live_service(
    web: Web, target_shop: Shop, monkeypatch: pytest.MonkeyPatch, fresh_process_memory: None
) -> Service:
    """The registered demo shop, whose pushes go over the real broker."""
    monkeypatch.setattr("monitoring.realtime._send", REAL_SEND)
    service = register(target_shop)
    Service.objects.filter(pk=service.pk).update(is_demo=True)
    return service


@pytest.fixture
def visit(browser: Browser, web: Web, live_service: Service) -> Iterator[Visit]:
    """Return a function that opens a page at a width and in a theme, as a person or as nobody."""
    contexts: list[BrowserContext] = []

    def open_page(
        path: str, *, person: User | None = None, width: int = 1440, dark: bool = False
    ) -> Watched:
        options: dict[str, Any] = {"color_scheme": "dark" if dark else "light"}
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            reduced_motion="reduce",
            base_url=web.url,
            **options,
        )
        contexts.append(context)
        if person is not None:
            name = django_settings.SESSION_COOKIE_NAME
            context.add_cookies([{"name": name, "value": session_of(person), "url": web.url}])
        watched = Watched(context.new_page())
        watched.page.goto(path)
        return watched

    yield open_page
    for context in contexts:
        context.close()
