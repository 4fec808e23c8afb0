"""A tablet held upright, by touch: what is tapped is large enough, and a long name leaves the rest its room."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from monitoring.models import Service, ServiceHealth
from teams.models import User
from tests.browser.conftest import OpenPage
from tests.browser.stack import Web
from tests.browser.test_every_page import SIDEWAYS, settle
from tests.browser.test_incident_pages import violations
from tests.browser.test_phone import FINGER, LONG
from tests.incidents import rows

TABLET = 768
NARROW = """finger => [...document.querySelectorAll(".app-header :is(a, button, summary)")]
  .map(one => [one, one.getBoundingClientRect()]).filter(([one, box]) => box.width
    && one.checkVisibility({visibilityProperty: true}) && (box.width < finger - 0.5 || box.height < finger - 0.5))
  .map(([one, box]) => `${one.outerHTML.slice(0, 60)}: ${box.width} x ${box.height}`)"""


@pytest.fixture
def services(web: Web) -> list[Service]:
    """Three services: the one with the long name is down, and so is the one after it."""
    names = {"shop": "Shop API", "long": LONG, "search": "Search API"}
    made = [
        rows.shop(slug=slug, name=name, port=3100 + number)
        for number, (slug, name) in enumerate(names.items())
    ]
    ServiceHealth.objects.filter(service__in=made[1:]).update(state="down")
    return made


def test_what_the_header_of_a_tablet_offers_is_as_wide_as_a_finger(
    open_page: OpenPage, services: list[Service], shweta: User
) -> None:
    page = open_page(shweta, "/", width=TABLET, touch=True).page
    settle(page)
    assert page.locator(".header-health__item").count() == len(services)
    assert page.evaluate(NARROW, FINGER) == []
    assert page.evaluate(SIDEWAYS) <= 0


def test_a_long_name_keeps_some_words_to_the_line(
    open_page: OpenPage, services: list[Service], shweta: User
) -> None:
    page = open_page(shweta, "/services/", width=TABLET, touch=True).page
    settle(page)
    link = page.locator("#services").get_by_role("link", name=LONG)
    expect(link).to_be_visible()
    assert width(page, f"#services th:has-text('{LONG}')") >= 190
    assert page.evaluate(SIDEWAYS) <= 0
    assert violations(page) == []


def width(page: Page, of: str) -> float:
    return float(page.locator(of).evaluate("one => one.getBoundingClientRect().width"))
