"""What a manager sees in the console at night: an empty list in plain words, and choices as large as a finger."""

from __future__ import annotations

from playwright.sync_api import expect

from teams.models import User
from tests.browser.conftest import OpenPage
from tests.browser.stack import Web
from tests.browser.test_every_page import SIDEWAYS
from tests.browser.test_phone import FINGER, PHONE

LOW = """finger => [...document.querySelectorAll("#id_chosen_kinds label")]
  .map(one => one.getBoundingClientRect().height).filter(height => height < finger - 0.5)"""


def test_an_empty_list_says_what_it_is_and_speaks_of_filters_only_when_there_are_some(
    open_page: OpenPage, web: Web, maya: User
) -> None:
    watched = open_page(maya, "/admin/incidents/oncall/", width=PHONE)
    page = watched.page
    main = page.locator("main, #main").first
    expect(page.get_by_role("heading", name="Nothing here yet")).to_be_visible()
    expect(main).not_to_contain_text("No results found")
    expect(main.get_by_text("Reset filters")).to_have_count(0)
    page.goto("/admin/incidents/oncall/?q=nobody")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    page.get_by_role("link", name="Add on-call place").last.click()
    page.wait_for_url("**/oncall/add/")
    page.goto("/admin/incidents/deployment/")
    expect(main).to_contain_text("AgentOps writes these rows by itself")
    assert page.evaluate(SIDEWAYS) <= 0
    assert watched.complaints == []


def test_the_kinds_of_a_channel_are_ticked_by_a_finger(
    open_page: OpenPage, web: Web, maya: User
) -> None:
    page = open_page(maya, "/admin/incidents/notificationchannel/add/", width=PHONE).page
    assert page.locator("#id_chosen_kinds label").count() > 3
    assert page.evaluate(LOW, FINGER) == []
