"""The main job without a mouse: sign in, break the shop on purpose, decide, and open the report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from incidents import providers
from incidents.models import Incident
from incidents.pipeline.report import report
from incidents.states import Step
from monitoring.models import FaultInjection, Service
from teams.models import User
from tests.browser.conftest import OpenPage
from tests.browser.stack import Web
from tests.conftest import PASSWORD
from tests.incidents import rows
from tests.shop.conftest import register
from tests.target_app.shop import Shop

OUTLINED = """element => [[element, null], [element, '::after'], [element.closest('.row'), null]]
  .some(([one, part]) => one && getComputedStyle(one, part).outlineStyle !== 'none')"""
"""The link of a row lets the whole row show its focus."""
MOST_STEPS = 120
"""Presses of Tab within which everything on a page is reached."""


@pytest.fixture
def service(web: Web, tmp_path: Path) -> Iterator[Service]:
    """Have the demo shop run for real."""
    shop = Shop.copied_to(tmp_path / "shop")
    shop.start()
    service = register(shop)
    Service.objects.filter(pk=service.pk).update(is_demo=True)
    yield service
    shop.kill()


def go_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the wanted thing has the focus, and see that one can see it there."""
    for _ in range(MOST_STEPS):
        if wanted.evaluate("element => element === document.activeElement"):
            assert wanted.evaluate(OUTLINED), f"the focus on {wanted} is not seen"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {wanted}")


def press(page: Page, wanted: Locator) -> None:
    """Go to a link or button by Tab and press Enter."""
    go_to(page, wanted)
    page.keyboard.press("Enter")


def test_sign_in_inject_comment_reject_and_report(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    waiting, healed = rows.asked(service), rows.resolved(service, shweta)
    healed.touch(step=Step.REPORT)
    report(healed, providers.tools())
    page = open_page(shweta, "/offline/").page
    page.context.clear_cookies()
    sign_in(page, shweta)
    inject(page)
    decide(page, waiting)
    press(page, page.get_by_role("link", name="Reports"))
    page.wait_for_url("**/reports/")
    press(page, page.locator("#main").get_by_role("link", name=healed.title))
    expect(page.get_by_role("heading", level=1)).to_contain_text(healed.title)


def sign_in(page: Page, person: User) -> None:
    """Fill the form in; its first field has the focus already."""
    page.goto("/accounts/login/")
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.keyboard.type(person.email)
    go_to(page, page.get_by_label("Password"))
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/")


def inject(page: Page) -> None:
    """Break the shop on its page."""
    press(page, page.get_by_role("link", name="Services", exact=True))
    page.wait_for_url("**/services/")
    press(page, page.locator("#main").get_by_role("link", name="Shop", exact=True))
    page.wait_for_url("**/services/shop/")
    press(page, page.get_by_role("button", name="Call of a name that does not exist"))
    expect(page.locator("#main")).to_contain_text("was put in on purpose")
    assert FaultInjection.objects.get().fault == "bug"


def decide(page: Page, incident: Incident) -> None:
    """Open the incident from the list, comment, and reject its fix with a reason."""
    press(page, page.get_by_role("link", name="Incidents").first)
    page.wait_for_url("**/")
    go_to(page, page.locator("#main").get_by_role("link", name=incident.title).first)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/incidents/{incident.pk}/")
    go_to(page, page.locator("#comment-text"))
    page.keyboard.type("Rather by hand")
    press(page, page.get_by_role("button", name="Comment", exact=True))
    expect(page.locator("#comments")).to_contain_text("Rather by hand")
    press(page, page.get_by_role("button", name="Reject").first)
    go_to(page, page.locator("#reject-dialog").get_by_label("Reason"))
    page.keyboard.type("We do it in the morning")
    press(page, page.locator("#reject-dialog").get_by_role("button", name="Reject"))
    expect(page.locator("#incident-head")).to_contain_text("rejected")
