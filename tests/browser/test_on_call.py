"""A team lead says on a phone, or by the keyboard, who is on call: the page stays where it is, and so does the focus."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from incidents.alerts.duty import order_of
from incidents.models import OnCall
from monitoring.models import Service
from teams.models import User
from tests.browser.conftest import OpenPage
from tests.browser.stack import Web
from tests.browser.test_every_page import SIDEWAYS, settle
from tests.browser.test_incident_pages import violations
from tests.browser.test_phone import LONG, PHONE, small_targets
from tests.incidents import rows


@pytest.fixture
def service(web: Web, yash: User, bhumika: User) -> Service:
    return rows.shop(name=LONG)


@pytest.mark.parametrize("width", [PHONE, 1440])
@pytest.mark.parametrize("dark", [False, True])
def test_a_lead_sets_who_is_on_call(
    open_page: OpenPage, service: Service, shweta: User, *, width: int, dark: bool
) -> None:
    watched = open_page(shweta, "/team/", width=width, dark=dark, touch=width == PHONE)
    page = watched.page
    settle(page)
    duty = page.locator("#duty")
    duty.get_by_label("For", exact=True).select_option(label=LONG)
    for name in ["Yash", "Bhumika"]:
        duty.get_by_label("Person").select_option(label=name)
        duty.get_by_role("button", name="Put on call").focus()
        page.keyboard.press("Enter")
        expect(duty.locator(".duty__person", has_text=name)).to_have_count(1)
        expect(page.locator("#duty-add")).to_be_focused()
    expect(duty.locator(".duty__person").first).to_contain_text("on call now")
    duty.get_by_role("button", name=re.compile("First this week.*Bhumika")).click()
    expect(duty.locator(".duty__person").first).to_contain_text("Bhumika")
    expect(duty.get_by_role("heading")).to_be_focused()
    assert [person.name for person in order_of(service, timezone.now().date())] == [
        "Bhumika",
        "Yash",
    ]
    assert violations(page) == []
    assert page.evaluate(SIDEWAYS) <= 0
    if width == PHONE:
        assert [one for one in small_targets(page) if "duty" in one] == []
    duty.get_by_role("button", name=f"Take Yash off the order for {LONG}").click()
    expect(duty.locator(".duty__person")).to_have_count(1)
    expect(duty.get_by_role("heading")).to_be_focused()
    assert OnCall.objects.count() == 1
    assert watched.complaints == []
