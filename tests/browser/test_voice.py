"""Spoken alerts in a real browser: read by its own voice without audio, once, accessible, and quiet when asked."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from agentops_site import speaking
from agentops_site.models import Speech
from monitoring import realtime
from teams.models import User
from tests.browser.conftest import OpenPage
from tests.browser.stack import Web, wait_for
from tests.browser.test_incident_pages import live, violations
from tests.incidents import made

# Chromium without a sound card has no voices: what the page asks of them is what counts.
LISTEN = """() => {
  window.said = [];
  window.speaking = false;
  Object.defineProperty(speechSynthesis, "speaking", { get: () => window.speaking, configurable: true });
  speechSynthesis.cancel = () => { window.speaking = false; };
  speechSynthesis.speak = (words) => {
    window.speaking = true;
    window.said.push(words.text);
    words.dispatchEvent(new Event("start"));
  };
}"""
"""A voice that begins at once, and speaks until it is cancelled or a test sets `speaking`."""

REFUSE = """() => {
  window.asked = 0;
  speechSynthesis.speak = (words) => {
    window.asked += 1;
    words.dispatchEvent(new SpeechSynthesisErrorEvent("error", { utterance: words, error: "not-allowed" }));
  };
}"""
"""A browser that lets no page speak before somebody touched it."""

INSIDE = """() => [...document.querySelectorAll('#voice-slot *')].every(part =>
  part.getBoundingClientRect().right <= document.documentElement.clientWidth)"""
"""Nothing of the slot sticks out of the page."""

COUNT = """() => {
  Object.assign(window, { signals: 0, answers: 0, swaps: 0 });
  const of = (event) => event.detail.target && event.detail.target.id;
  document.addEventListener("htmx:wsAfterMessage", (event) => { window.signals += event.detail.message.includes("voice-signal"); });
  document.addEventListener("htmx:beforeSwap", (event) => { window.answers += of(event) === "voice-slot"; });
  document.addEventListener("htmx:afterSwap", (event) => { window.swaps += of(event) === "voice-slot"; });
}"""


def alert(title: str) -> Speech:
    return Speech.objects.create(
        kind="alert", key=f"incident:{title}", title=title, severity="high", script=f"{title} for everybody.", link="/",
        incident=made.incident(title=title),
    )  # fmt: skip


def said(page: Page) -> list[str]:
    return list(page.evaluate("() => window.said"))


@pytest.mark.parametrize("width", [390, 1440])
def test_the_page_is_accessible_and_reads_its_scripts(
    open_page: OpenPage, web: Web, shweta: User, width: int
) -> None:
    speaking.speak(alert("Orders fail").pk, now=timezone.now())
    watched = open_page(shweta, "/voice/", width=width)
    page = watched.page
    live(page)
    assert violations(page) == []
    page.evaluate(LISTEN)
    page.locator("li [data-player-play]").click()
    assert said(page) == ["Orders fail for everybody."]
    page.get_by_role("button", name="Speak how everything is").click()
    expect(page.locator("#voice-summary [data-player]")).to_be_visible()
    page.wait_for_function("() => window.said.some((text) => text.includes('watched'))")
    assert watched.complaints == []


def test_a_pushed_alert_is_spoken_by_itself_once_it_is_allowed_and_not_when_muted(
    open_page: OpenPage, web: Web, shweta: User
) -> None:
    page = open_page(shweta, "/").page
    live(page)
    page.evaluate(LISTEN)
    page.evaluate("() => localStorage.setItem('agentops-voice', 'allowed')")
    speaking.speak(alert("Orders fail").pk, now=timezone.now())
    expect(page.locator("#voice-slot")).to_contain_text("Orders fail")
    page.wait_for_function("() => window.said.length === 1")
    page.locator("#voice-slot [data-player-mute]").click()
    speaking.speak(alert("Prices are wrong").pk, now=timezone.now())
    expect(page.locator("#voice-slot")).to_contain_text("Prices are wrong")
    assert said(page) == ["Orders fail for everybody."]


@pytest.mark.parametrize("width", [390, 1440])
def test_a_page_opened_after_the_alert_offers_it_clear_of_its_heading(
    open_page: OpenPage, web: Web, shweta: User, width: int
) -> None:
    long = "Shop API: KeyError on GET /api/products while the store of prices is not reachable"
    speaking.speak(alert(long).pk, now=timezone.now())
    watched = open_page(shweta, "/", width=width)
    page = watched.page
    for path in ["/", "/analytics/", "/services/", "/accounts/profile/", "/team/"]:
        page.goto(path)
        live(page)
        slot, heading = page.locator("#voice-slot aside"), page.locator("h1")
        slot.locator("summary").click()
        above, below = heading.bounding_box(), slot.bounding_box()
        assert above is not None
        assert below is not None
        assert above["y"] + above["height"] <= below["y"], path
        assert page.evaluate(INSIDE), path
        # Axe takes what is half under it for too small a target; one can scroll.
        page.set_viewport_size({"width": width, "height": 4000})
        assert violations(page) == []
        page.set_viewport_size({"width": width, "height": 844})
    page.evaluate(LISTEN)
    slot.locator("[data-player-play]").click()
    assert said(page) == [f"{long} for everybody."]
    page.wait_for_load_state("networkidle")
    page.goto("/analytics/")
    expect(page.locator("#voice-slot aside")).to_have_count(0)
    assert watched.complaints == []


def test_an_alert_that_the_browser_refused_to_speak_was_not_heard_and_is_spoken_by_the_next_page(
    open_page: OpenPage, web: Web, shweta: User
) -> None:
    page = open_page(shweta, "/").page
    live(page)
    page.evaluate(REFUSE)
    page.evaluate("() => localStorage.setItem('agentops-voice', 'allowed')")
    speaking.speak(alert("Orders fail").pk, now=timezone.now())
    page.wait_for_function("() => window.asked === 1")
    page.wait_for_load_state("networkidle")
    page.add_init_script(f"({LISTEN})()")
    with page.expect_response("**/voice/heard/**"):
        page.goto("/analytics/")
    expect(page.locator("#voice-slot")).to_contain_text("Orders fail")
    assert said(page) == ["Orders fail for everybody."]


def test_who_reads_or_hears_an_alert_is_not_interrupted_by_the_same_one(
    open_page: OpenPage, web: Web, shweta: User
) -> None:
    speaking.speak(alert("Orders fail").pk, now=timezone.now())
    page = open_page(shweta, "/").page
    live(page)
    summary = page.locator("#voice-slot summary")
    summary.click()
    summary.focus()
    asked_again(page)
    expect(page.locator("#voice-slot details")).to_have_attribute("open", "")
    expect(summary).to_be_focused()
    page.evaluate(LISTEN)
    with page.expect_response("**/voice/heard/**"):
        page.locator("#voice-slot [data-player-play]").click()
    asked_again(page)
    expect(page.locator("#voice-slot aside")).to_be_visible()
    page.evaluate("() => { window.speaking = false; }")
    asked_again(page)
    expect(page.locator("#voice-slot aside")).to_have_count(0)


def asked_again(page: Page) -> None:
    """Have the page told of speech, and wait until it asked what to play."""
    with page.expect_response("**/voice/latest/**"):
        realtime.publish("speech", {"id": 1})
    page.wait_for_function("() => !document.querySelector('.htmx-request, .htmx-swapping')")


def test_two_signals_at_once_show_an_alert_once(
    open_page: OpenPage, web: Web, shweta: User
) -> None:
    page = open_page(shweta, "/").page
    live(page)
    held: list[Route] = []
    page.route("**/voice/latest/", lambda route: route.continue_() if held else held.append(route))
    page.evaluate(COUNT)
    speaking.speak(alert("Orders fail").pk, now=timezone.now())
    page.wait_for_function("() => window.signals >= 1")
    realtime.publish("speech", {})
    page.wait_for_function("() => window.signals >= 2")
    wait_for(
        lambda: page.evaluate("() => true") and held
    )  # Playwright hands requests over while it is asked
    held[0].continue_()
    page.wait_for_function("() => window.answers >= 2")
    expect(page.locator("#voice-slot aside")).to_be_visible()
    assert page.evaluate("() => window.swaps") == 1, "it was taken away and put there again"


def test_an_alert_is_put_away_for_good(open_page: OpenPage, web: Web, shweta: User) -> None:
    speaking.speak(alert("Orders fail").pk, now=timezone.now())
    page = open_page(shweta, "/", width=390).page
    live(page)
    page.get_by_role("button", name="Put this spoken alert away").click()
    expect(page.locator("#voice-slot aside")).to_have_count(0)
    page.reload()
    live(page)
    expect(page.locator("#voice-slot aside")).to_have_count(0)


def reached(page: Page, words: str) -> None:
    """Press Tab from the top of a page to the skip link of these words, and press Enter on it."""
    page.keyboard.press("Tab")
    for _ in range(3):
        if page.locator(":focus").inner_text() == words:
            break
        page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text(words)
    expect(page.locator(":focus")).to_be_in_viewport(ratio=1)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("width", [390, 1440])
def test_the_keyboard_comes_to_an_alert_first_and_goes_on_where_it_was(
    open_page: OpenPage, web: Web, shweta: User, width: int
) -> None:
    page = open_page(shweta, "/analytics/", width=width).page
    live(page)
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).not_to_have_class("skip")  # no alert, no link to it
    field = page.get_by_label("Service", exact=True)
    field.focus()
    for title in ["Orders fail", "Prices are wrong"]:
        speaking.speak(alert(title).pk, now=timezone.now())
        expect(page.locator("#voice-slot")).to_contain_text(title)
    away = page.get_by_role("button", name="Put this spoken alert away")
    away.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#voice-slot aside")).to_have_count(0)
    expect(field).to_be_focused()
    assert page.evaluate("scrollY") == 0


@pytest.mark.parametrize("width", [390, 1440])
def test_from_an_alert_that_was_skipped_to_one_goes_on_with_the_content(
    open_page: OpenPage, web: Web, shweta: User, width: int
) -> None:
    speaking.speak(alert("Orders fail").pk, now=timezone.now())
    page = open_page(shweta, "/services/", width=width).page
    live(page)
    reached(page, "Skip to the spoken alert")
    page.keyboard.press("Tab")
    expect(page.locator("#voice-slot [data-player-play]")).to_be_focused()
    assert violations(page) == []
    away = page.get_by_role("button", name="Put this spoken alert away")
    while not away.evaluate("one => one === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#voice-slot aside")).to_have_count(0)
    expect(page.locator("#main")).to_be_focused()
