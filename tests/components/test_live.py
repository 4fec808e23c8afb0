"""What js/live.js promises: a lost line is said, the page is read again, typing, focus, order and sections stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.template import engines
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.components.conftest import ORIGIN, Open
from tests.components.sample import shell

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)
PAGE = """{% extends "base.html" %}{% block heading %}Live{% endblock %}{% block content %}
<section id="head" data-version="5" data-refetch-url="/part/">first <button type="button" id="go">Go</button>
<details id="more"><summary>More</summary>inside</details></section>
<section id="talk" data-refetch-url="/talk/"><label>Comment <textarea id="note"></textarea></label></section>
<ol id="timeline"><li>one</li></ol>{% endblock %}"""
PART = '<section id="head" data-version="{v}" {oob}>{text} <button type="button" id="go">Go</button><details id="more"><summary>More</summary>inside</details></section>'
TALK = '<section id="talk" data-refetch-url="/talk/" {oob}>{text}<label>Comment <textarea id="note"></textarea></label></section>'
OOB = 'hx-swap-oob="true"'


class Line:
    """The server's end of the socket."""

    def __init__(self) -> None:
        """Start without a caller."""
        self.calls: list[WebSocketRoute] = []
        self.fetched: list[str] = []

    def answer(self, call: WebSocketRoute) -> None:
        """Take a call."""
        self.calls.append(call)

    def push(self, html: str) -> None:
        """Send a fragment to the page."""
        self.calls[-1].send(html)


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def page(show: Open, line: Line) -> Page:
    def part(name: str, html: str) -> Callable[[], str]:
        def answer() -> str:
            line.fetched.append(name)
            return html

        return answer

    answers = {
        "/": lambda: engines["django"].from_string(PAGE).render(shell()),
        "/part/": part("part", PART.format(v=9, oob="", text="fetched")),
        "/talk/": part("talk", TALK.format(oob="", text="fetched")),
    }
    opened = show(answers)
    opened.page.route_web_socket("**/ws/**", line.answer)
    opened.page.goto(ORIGIN)
    expect(opened.page.locator("#connection")).to_have_attribute("data-state", "on")
    return opened.page


def test_a_pushed_part_replaces_its_twin_and_an_entry_is_appended(page: Page, line: Line) -> None:
    line.push(PART.format(v=6, oob=OOB, text="second"))
    line.push('<ol hx-swap-oob="beforeend:#timeline"><li>two</li></ol>')
    expect(page.locator("#head")).to_contain_text("second")
    expect(page.locator("#timeline li")).to_have_text(["one", "two"])


def test_an_older_part_never_replaces_a_newer_one(page: Page, line: Line) -> None:
    line.push(PART.format(v=4, oob=OOB, text="stale"))
    line.push('<ol hx-swap-oob="beforeend:#timeline"><li>two</li></ol>')
    expect(page.locator("#timeline li")).to_have_count(2)
    expect(page.locator("#head")).to_contain_text("first")


def test_what_one_types_is_kept_and_the_part_is_read_when_done(page: Page, line: Line) -> None:
    page.fill("#note", "not yet sent")
    line.push(TALK.format(oob=OOB, text="pushed"))
    expect(page.locator("#talk")).to_have_attribute("data-stale", "")
    page.locator("#go").focus()
    expect(page.locator("#note")).to_have_value("not yet sent")
    assert line.fetched == []
    page.fill("#note", "")
    page.locator("#go").focus()
    expect(page.locator("#talk")).to_contain_text("fetched")


def test_focus_and_open_sections_outlive_a_push(page: Page, line: Line) -> None:
    page.locator("#more summary").click()
    page.locator("#go").focus()
    line.push(PART.format(v=6, oob=OOB, text="second"))
    expect(page.locator("#head")).to_contain_text("second")
    expect(page.locator("#more")).to_have_attribute("open", "")
    expect(page.locator("#go")).to_be_focused()


def test_a_section_opened_at_the_very_moment_of_a_push_stays_open(page: Page) -> None:
    page.evaluate(
        """html => { document.querySelector("#more summary").click(); htmx.swap("#timeline", html, { swapStyle: "none" }); }""",
        PART.format(v=6, oob=OOB, text="second"),
    )
    expect(page.locator("#head")).to_contain_text("second")
    expect(page.locator("#more")).to_have_attribute("open", "")


def test_a_push_does_not_take_away_what_is_being_pressed(page: Page, line: Line) -> None:
    page.evaluate(
        """() => { window.clicked = 0; document.addEventListener("click", (event) => { window.clicked += event.target.id === "go"; }); }"""
    )
    page.locator("#go").hover()
    page.mouse.down()
    line.push(PART.format(v=6, oob=OOB, text="second"))
    line.push('<ol hx-swap-oob="beforeend:#timeline"><li>two</li></ol>')
    expect(page.locator("#timeline li")).to_have_count(2)
    expect(page.locator("#head")).to_contain_text("first")
    page.mouse.up()
    expect(page.locator("#head")).to_contain_text("fetched")
    assert page.evaluate("window.clicked") == 1


@pytest.mark.parametrize("code", [1001, 1012])
def test_a_lost_line_is_said_and_the_page_is_read_again(page: Page, line: Line, code: int) -> None:
    page.evaluate("htmx.config.wsReconnectDelay = () => 3000")
    line.calls[-1].close(code=code, reason="restart")
    expect(page.get_by_text("Reconnecting: what you see may be old")).to_be_visible()
    expect(page.locator("#head")).to_contain_text("fetched")
    expect(page.get_by_text("Reconnecting: what you see may be old")).to_be_hidden()
    assert len(line.calls) == 2
    assert sorted(line.fetched) == ["part", "talk"]


def test_a_signed_out_socket_stays_closed_and_says_so(page: Page, line: Line) -> None:
    line.calls[-1].close(code=4401, reason="signed out")
    expect(page.get_by_text("You are signed out. Sign in again")).to_be_visible()
    page.evaluate("new Promise((done) => setTimeout(done, 2 * htmx.config.wsReconnectDelay(1)))")
    assert len(line.calls) == 1
