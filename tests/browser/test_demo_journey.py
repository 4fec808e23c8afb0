"""The twelve-step demo as one journey: the whole of AgentOps as `./agentops up --demo` starts it, and a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from bench._stack import Stack, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
HEALED = 60_000  # milliseconds
SHOPPER = {
    "name": "Ada Journey",
    "email": "ada@example.com",
    "line1": "1 Analytical Way",
    "postcode": "10115",
    "city": "Berlin",
}
INCIDENT = re.compile(r"/incidents/\d+/$")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Have a running AgentOps with a healthy demo shop and a last known good state."""
    stack = Stack(tmp_path_factory.mktemp("journey") / "data")
    stack.start()
    try:
        wait_for(stack.healthy, limit=30)
        wait_for(
            lambda: stack.call("shweta", "GET", "services/shop")[1]["last_known_good"], limit=30
        )
        yield stack
    finally:
        if stack.process and stack.process.poll() is None:
            stack.stop()


def signed_in(browser: Browser, stack: Stack, name: str) -> Page:
    """Sign in by one click, as the demo's sign-in page offers."""
    page = browser.new_context(base_url=stack.url, reduced_motion="reduce").new_page()
    page.goto("/accounts/login/")
    page.get_by_role("button", name=name).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Incidents")
    return page


def inject(page: Page, fault: str) -> None:
    page.goto("/services/shop/")
    page.locator(f'form:has(input[name="fault"][value="{fault}"]) button').click()
    page.wait_for_load_state()


def status_of(stack: Stack, *wanted: str) -> int:
    """Wait until the newest incident has one of the statuses, and return its number."""
    return int(stack.incident(*wanted)["id"])


def test_the_demo_from_a_bug_that_heals_alone_to_an_order_that_shows_up_live(
    stack: Stack, browser: Browser
) -> None:
    lead = signed_in(browser, stack, "Shweta")  # step 1
    _a_bug_heals_by_itself(stack, lead)
    incident = _a_crash_waits_for_a_person(stack, lead)
    _the_junior_is_refused_and_asks(signed_in(browser, stack, "Bhumika"), incident)
    _the_lead_approves(stack, lead)
    _the_report_appears(lead)
    shopper = browser.new_context(base_url=stack.url, reduced_motion="reduce").new_page()
    _an_order_shows_up_live(stack, lead, shopper)


def _a_bug_heals_by_itself(stack: Stack, lead: Page) -> None:
    """Steps 2 and 3: the lead injects a bug, and sees it heal without anybody."""
    inject(lead, "bug")
    number = status_of(stack, "RESOLVED")
    lead.goto(f"/incidents/{number}/")
    expect(lead.locator("#incident-head")).to_contain_text("Resolved", timeout=HEALED)
    assert stack.call("shweta", "GET", f"incidents/{number}")[1]["auto_resolved"] is True


def _a_crash_waits_for_a_person(stack: Stack, lead: Page) -> int:
    """Steps 4 and 5: the lead injects a crash; it waits, and the bell rings."""
    wait_for(stack.healthy, limit=30)
    inject(lead, "crash")
    number = status_of(stack, "AWAITING_APPROVAL")
    lead.goto(f"/incidents/{number}/")
    expect(lead.get_by_role("button", name="Approve", exact=True)).to_be_enabled()
    expect(lead.get_by_role("link", name=re.compile(r"Notifications, \d+ unread"))).to_be_visible()
    return number


def _the_junior_is_refused_and_asks(junior: Page, incident: int) -> None:
    """Steps 6 and 7: the junior is refused in plain words, and asks the lead by a button."""
    junior.goto(f"/incidents/{incident}/")
    expect(junior.get_by_role("button", name="Approve", exact=True)).to_be_disabled()
    expect(junior.get_by_text("ask Shweta (team lead)").first).to_be_visible()
    junior.get_by_role("button", name="Ask Shweta").click()
    expect(junior.get_by_text("Asked: they are told")).to_be_visible()


def _the_lead_approves(stack: Stack, lead: Page) -> None:
    """Steps 8 and 9: the lead follows the call for help, approves, and sees by push how it ends well."""
    lead.goto("/notifications/?kind=help")
    lead.get_by_role("link", name=re.compile("Bhumika asks for your help")).click()
    lead.wait_for_url(INCIDENT)
    lead.get_by_role("button", name="Approve", exact=True).click()
    lead.get_by_role("button", name="Approve and deploy").click()
    expect(lead.locator("#incident-head")).to_contain_text("Resolved", timeout=HEALED)
    assert stack.shop("/health")[0] == 200


def _the_report_appears(lead: Page) -> None:
    """Step 10: the report says who approved and what the proof was."""
    lead.goto("/reports/")
    lead.locator(".row__title").first.click()
    expect(lead.get_by_text("on approval of Shweta").first).to_be_visible()
    expect(lead.get_by_role("heading", name="The proof")).to_be_visible()


def _an_order_shows_up_live(stack: Stack, lead: Page, shopper: Page) -> None:
    """Steps 11 and 12: the lead watches the live view, a shopper buys, and the order is there without a reload."""
    lead.goto("/live/")
    before = {order["id"] for order in stack.shop("/api/orders")[1]["items"]}
    buy(shopper)
    [number] = {order["id"] for order in stack.shop("/api/orders")[1]["items"]} - before
    expect(lead.locator("#live-panels")).to_contain_text(str(number), timeout=15_000)


def buy(page: Page) -> None:
    """Buy the first thing of the shop as somebody nobody knows."""
    page.goto("/shop/")
    page.get_by_role("button", name="Add to cart").first.click()
    expect(page.locator("#cart-link")).to_contain_text("1")
    page.goto("/shop/checkout/")
    for name, value in SHOPPER.items():
        page.fill(f"[name={name}]", value)
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your order is placed")
