"""A phone in one hand at night: what is tapped is large enough, and what arrives moves nothing under the thumb."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from agentops_site import speaking
from incidents.models import Comment
from incidents.pipeline import people
from monitoring.models import Service
from teams.models import User
from tests.browser.conftest import OpenPage
from tests.browser.stack import Web
from tests.browser.test_every_page import SIDEWAYS, settle
from tests.browser.test_incident_pages import live, violations
from tests.browser.test_voice import alert
from tests.incidents import rows

PHONE = 390
WIDTHS = [PHONE, 1440]
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


@pytest.fixture(params=WIDTHS)
def deciding(
    request: pytest.FixtureRequest, open_page: OpenPage, service: Service, shweta: User
) -> Page:
    """Return the live page of an incident that waits for the person's decision, on a phone and on a desk."""
    path = f"/incidents/{rows.asked(service).pk}/"
    page = open_page(shweta, path, width=request.param).page
    live(page)
    return page


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


PLACES = """() => ['h1', '#incident-body', '#comment-form', '#incident-decision .button--primary']
  .map(one => Math.round(document.querySelector(one).getBoundingClientRect().top))"""
HIT = """one => { const box = one.getBoundingClientRect();
  return one.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)); }"""
FIRST_TAP = """() => { new MutationObserver(() => {
    const alert = document.querySelector('.voice-alert');
    if (alert) window.firstTap ??= getComputedStyle(alert).pointerEvents;
  }).observe(document.getElementById('voice-slot'), {childList: true}); }"""
ON_ITS_EDGE = """() => { const link = document.querySelector('#incident-body summary');
  link.focus({preventScroll: true});
  scrollTo({top: scrollY + link.getBoundingClientRect().bottom
    - document.querySelector('.decision-bar').getBoundingClientRect().top, behavior: 'instant'}); }"""
widths = pytest.mark.parametrize("width", WIDTHS)


def test_an_alert_that_arrives_late_moves_nothing_and_covers_no_decision(deciding: Page) -> None:
    page = deciding
    page.evaluate("scrollTo({top: 500, behavior: 'instant'})")
    before = page.evaluate(PLACES)
    page.evaluate(FIRST_TAP)
    said, bar = arrive(page), page.locator("#incident-decision")
    assert page.evaluate(PLACES) == before
    assert page.evaluate("window.firstTap") == "none"  # a tap on its way goes to what was there
    expect(said).to_have_css("pointer-events", "auto")
    expect(said).to_be_in_viewport(ratio=1)
    expect(bar).to_be_in_viewport(ratio=1)
    assert bar.get_by_role("button", name="Approve", exact=True).evaluate(HIT)
    assert edge(said, "bottom") <= edge(bar, "top")
    said.locator("summary").click()
    assert page.evaluate(PLACES)[-1] == before[-1]  # nor does reading it move the decision
    assert violations(page) == []
    page.keyboard.press("End")
    page.wait_for_function("() => scrollY + innerHeight >= document.body.scrollHeight - 1")
    assert edge(page.locator("#comment-form"), "bottom") <= edge(said, "top")


def test_an_alert_does_not_cover_what_has_the_focus(deciding: Page) -> None:
    deciding.evaluate(ON_ITS_EDGE)
    said = arrive(deciding)
    deciding.wait_for_function("() => document.activeElement.matches('summary')")
    for _ in range(6):
        assert edge(deciding.locator(":focus"), "bottom") <= edge(said, "top")
        deciding.keyboard.press("Tab")


@widths
def test_the_bar_takes_the_focus_without_scrolling_and_opens_its_menu_within_the_page(
    open_page: OpenPage, service: Service, shweta: User, width: int
) -> None:
    escalated = rows.incident(service, status="ESCALATED", waits_for="An expert has to look.")
    rows.studied(escalated)
    page = open_page(shweta, f"/incidents/{escalated.pk}/", width=width).page
    live(page)
    arrive(page)
    page.evaluate("scrollTo({top: 300, behavior: 'instant'})")
    more = page.locator("#incident-decision summary")
    more.focus()
    assert page.evaluate("scrollY") == 300
    page.keyboard.press("Enter")
    expect(page.locator("#incident-decision .menu__panel")).to_be_in_viewport(ratio=1)
    assert page.evaluate("scrollY") == 300
    assert page.evaluate(SIDEWAYS) <= 0


@widths
def test_where_nothing_is_asked_the_alert_alone_stays_in_reach(
    open_page: OpenPage, service: Service, shweta: User, width: int
) -> None:
    over = rows.resolved(service, shweta)
    page = open_page(shweta, f"/incidents/{over.pk}/", width=width).page
    for path in [f"/incidents/{over.pk}/", "/accounts/profile/", "/"]:
        page.goto(path)
        live(page)
        said = arrive(page)
        expect(said).to_be_in_viewport(ratio=1)
        low = page.viewport_size["height"] - edge(said, "bottom") if page.viewport_size else -1
        assert 0 <= low <= (0 if width == PHONE else 80), path
        assert page.evaluate(SIDEWAYS) <= 0
        said.get_by_role("button", name="Put this spoken alert away").click()
        expect(said).to_have_count(0)


def arrive(page: Page) -> Locator:
    """Have an alert pushed to the page, and return it once it is there."""
    speaking.speak(alert(f"Orders fail {timezone.now()}").pk, now=timezone.now())
    said = page.locator("#voice-slot aside")
    said.wait_for()
    return said


def edge(of: Locator, side: str) -> float:
    return round(float(of.evaluate("(one, side) => one.getBoundingClientRect()[side]", side)), 1)


LONG = "Settlement-of-vendors-and-reconciliation-of-payouts-across-all-regions-and-currencies"
CUT = """() => [...document.querySelectorAll('#main .card :is(th, td, .stat__value, h2), #main .chart__text')]
  .filter(one => one.checkVisibility() && one.getBoundingClientRect().width > 1).filter(one => {
    const [box, card] = [one, one.closest('.card')].map(part => part.getBoundingClientRect());
    return box.left < card.left - 1 || box.right > card.right + 1 || one.scrollWidth > one.clientWidth + 1;
  }).map(one => one.textContent.slice(0, 40))"""
"""What sticks out of its card or of its own box."""
OVER_THE_EDGE = """() => [...document.querySelectorAll('#result_list :is(th, td)')].filter(one => {
    const range = document.createRange();
    range.selectNodeContents(one);
    const shown = one.querySelector('.cut') ?? range, box = one.getBoundingClientRect();
    const text = shown.getBoundingClientRect();
    return box.width && (text.right > box.right + 1 || text.height > box.height + 1);
  }).map(one => one.textContent.slice(0, 40))"""


def test_analytics_show_a_long_name_whole_on_a_phone(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    Service.objects.filter(pk=service.pk).update(name=LONG)
    at = timezone.now() - timedelta(minutes=4)
    for number in range(2):
        rows.resolved(service, shweta, title=f"{LONG * 2} {number}", detected_at=at)
    page = open_page(shweta, "/analytics/", width=PHONE).page
    settle(page)
    expect(page.get_by_role("region", name="Figures of services")).to_contain_text(LONG)
    assert page.evaluate(CUT) == []
    assert page.evaluate(SIDEWAYS) <= 0
    assert violations(page) == []


def test_the_console_cuts_long_titles_to_a_line(
    open_page: OpenPage, service: Service, shweta: User, maya: User
) -> None:
    Service.objects.filter(pk=service.pk).update(name=LONG)
    incident = rows.resolved(service, shweta, title=f"KeyError in {'x' * 90} of {LONG}"[:200])
    watched = open_page(maya, "/admin/incidents/incident/", width=PHONE)
    for path in ["incidents/incident", "incidents/decision", "incidents/deployment", "monitoring/service"]:  # fmt: skip
        watched.page.goto(f"/admin/{path}/")
        assert watched.page.evaluate(OVER_THE_EDGE) == [], path
        assert watched.page.evaluate(SIDEWAYS) <= 0, path
    watched.page.goto("/admin/incidents/incident/")
    link = watched.page.get_by_role("link", name=incident.title)
    expect(link.locator(".cut")).to_have_attribute("title", incident.title)
    link.click()
    expect(watched.page.locator(".readonly").get_by_text(incident.title)).to_be_visible()
    assert watched.complaints == []


TOPS = "() => [...document.querySelectorAll('#comments > li')].slice(-20).map(one => Math.round(one.getBoundingClientRect().top))"


@widths
def test_a_long_discussion_opens_with_its_newest_and_grows_upwards(
    open_page: OpenPage, service: Service, shweta: User, yash: User, width: int
) -> None:
    asked = rows.asked(service)
    said = [
        Comment.objects.create(incident=asked, author=yash, text=f"Comment {number}\nand more")
        for number in range(130)
    ]
    page = open_page(shweta, f"/incidents/{asked.pk}/", width=width).page
    live(page)
    more, shown = page.locator("#comments-more"), page.locator("#comments > li")
    expect(shown).to_have_count(20)
    expect(more).to_have_text("Show 100 earlier")
    people.comment(incident_id=asked.pk, person=yash, text="Just now")
    expect(shown).to_have_count(21)  # and none of those that are not on show
    more.focus()
    page.evaluate("scrollTo({top: scrollY + 300, behavior: 'instant'})")
    places = page.evaluate(TOPS)
    page.keyboard.press("Enter")
    expect(shown).to_have_count(121)
    assert page.evaluate(TOPS) == places
    expect(more).to_have_text("Show 10 earlier")
    expect(more).to_be_focused()
    page.keyboard.press("Enter")
    expect(shown).to_have_count(131)
    expect(more).to_have_count(0)
    expect(page.locator("#comments")).to_be_focused()
    assert page.evaluate(TOPS) == places
    order = shown.evaluate_all("all => all.map(one => Number(one.id.slice('comment-'.length)))")
    assert order == [*(one.pk for one in said), asked.comments.latest("id").pk]
    assert violations(page) == []


def test_a_lost_line_leaves_the_earlier_comments_on_show(
    open_page: OpenPage, service: Service, shweta: User, web: Web
) -> None:
    asked = rows.asked(service)
    for number in range(25):
        Comment.objects.create(incident=asked, author=shweta, text=f"Comment {number}")
    page = open_page(shweta, f"/incidents/{asked.pk}/", width=PHONE).page
    live(page)
    page.locator("#comments-more").click()
    expect(page.locator("#comments > li")).to_have_count(25)
    web.kill()
    expect(page.locator(".connection__text")).to_be_visible()
    missed = Comment.objects.create(incident=asked, author=shweta, text="Missed meanwhile")
    web.start()
    expect(page.locator(f"#comment-{missed.pk}")).to_have_count(1, timeout=20_000)
    expect(page.locator("#comments > li")).to_have_count(26)
    expect(page.locator("#comments-more")).to_have_count(0)
