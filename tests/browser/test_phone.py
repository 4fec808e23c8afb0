"""A phone in one hand at night: what is tapped is large enough, and what arrives moves nothing under the thumb."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from agentops_site import speaking
from monitoring.models import Service
from teams.models import User
from tests.browser.conftest import OpenPage
from tests.browser.stack import Web
from tests.browser.test_every_page import settle
from tests.browser.test_voice import alert
from tests.incidents import rows

PHONE = 390
FINGER = 44
SMALL = """finger => [...document.querySelectorAll("a, button, summary, input, select, textarea")].filter(one => {
  const box = one.getBoundingClientRect();
  const whole = getComputedStyle(one, "::after").position === "absolute";  // the row around it takes the tap
  const text = one.tagName === "A" && one.closest("p, .prose, .skip") && !one.matches(".lone");
  return box.width && one.checkVisibility({visibilityProperty: true}) && !whole && !text
    && !one.matches(".skip, [type=checkbox], [type=radio]") && box.height < finger - 0.5;
}).map(one => `${one.outerHTML.slice(0, 90)}: ${one.getBoundingClientRect().height}`)"""
"""What is lower than a finger is wide, but for links in a sentence and for rows that are one link as a whole."""


@pytest.fixture
def service(web: Web) -> Service:
    return rows.shop()


def small_targets(page: Page) -> list[Any]:
    page.evaluate("document.querySelectorAll('#main details').forEach(one => { one.open = true })")
    return list(page.evaluate(SMALL, FINGER))


def test_what_a_finger_taps_is_44_pixels_high(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    asked, over = rows.asked(service), rows.resolved(service, shweta)
    speaking.speak(alert("Orders fail").pk, now=timezone.now())
    page = open_page(shweta, "/offline/", width=PHONE).page
    found = {}
    for path in [
        *("/", f"/incidents/{asked.pk}/", f"/incidents/{over.pk}/", f"/incidents/{asked.pk}/propose/"),
        *("/services/", "/services/shop/", "/services/shop/break/", "/help/alone/", "/live/"),
        *("/analytics/", "/learning/", "/voice/", "/team/", "/notifications/settings/"),
        *("/accounts/profile/", "/accounts/password/", "/status/"),
    ]:  # fmt: skip
        page.goto(path)
        settle(page)
        found[path] = small_targets(page)
    assert {path: small for path, small in found.items() if small} == {}
