"""What a shopper and the team see: the journey, the outage as it happens, pushes, axe in both themes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Request, expect

from shop import placement, target, tracking
from shop.models import Checkout
from teams.models import User
from tests.browser.conftest import Watched
from tests.target_app.shop import Shop

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Visit = Callable[..., Watched]
AXE = (Path(__file__).parents[2] / "vendor" / "axe.min.js").read_text()
VIOLATIONS = """async () => (await axe.run()).violations.map(
    (v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; "))"""
PERSON = {
    "name": "Nora Lindqvist",
    "email": "nora@example.com",
    "line1": "Hafenstr. 1",
    "postcode": "20457",
    "city": "Hamburg",
}


def fill(page: Page) -> None:
    for name, value in PERSON.items():
        page.fill(f"[name={name}]", value)


def at_checkout(page: Page) -> None:
    """Put a mug into the cart and open the checkout."""
    page.get_by_role("button", name="Add to cart: Stoneware Mug").click()
    expect(page.get_by_text("Stoneware Mug is in your cart.")).to_be_visible()
    page.goto("/shop/checkout/")
    fill(page)


def pay(page: Page) -> None:
    page.get_by_role("button", name="Pay").click()
    page.wait_for_url("**/shop/orders/*/")


def refetches(page: Page) -> list[str]:
    """Collect what the page reads because it was nudged, and not because its own clock said so."""
    seen: list[str] = []

    def note(request: Request) -> None:
        if request.headers.get("x-refetch"):
            seen.append(request.url)

    page.on("request", note)
    return seen


@pytest.mark.parametrize("width", [390, 1440])
def test_a_shopper_looks_around_changes_the_cart_and_buys(
    visit: Visit, target_shop: Shop, width: int
) -> None:
    opened = visit("/shop/", width=width)
    page = opened.page
    page.get_by_role("button", name="Add to cart: Stoneware Mug").click()
    expect(page.locator("#cart-link")).to_contain_text("1")
    page.goto("/shop/cart/")
    page.get_by_role("button", name="One more: Stoneware Mug").click()
    expect(page.locator("output")).to_have_text("2")
    expect(page.locator("#cart-link")).to_contain_text("2")
    page.get_by_role("link", name="To checkout").click()
    page.wait_for_load_state()
    fill(page)
    page.select_option("[name=country]", "AT")
    expect(page.get_by_text("Shipping to Austria")).to_be_visible()
    pay(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Your order is placed.")
    order = target_shop.get("/api/orders").json["items"][0]
    assert (order["country"], order["items"][0]["quantity"]) == ("AT", 2)
    assert opened.complaints == []


def test_it_works_without_a_script(visit: Visit, browser: object, target_shop: Shop) -> None:
    opened = visit("/shop/")
    context = opened.page.context.browser.new_context(  # type: ignore[union-attr]
        java_script_enabled=False, base_url=opened.page.url.removesuffix("/shop/")
    )
    page = context.new_page()
    page.goto("/shop/")
    page.get_by_role("button", name="Add to cart: Stoneware Mug").click()
    expect(page.get_by_role("heading", name="Your cart")).to_be_visible()
    page.get_by_role("link", name="To checkout").click()
    fill(page)
    pay(page)
    assert len(target_shop.get("/api/orders").json["items"]) == 1
    context.close()


def test_a_waiting_order_is_seen_to_be_placed_without_a_reload(
    visit: Visit, target_shop: Shop
) -> None:
    page = visit("/shop/").page
    at_checkout(page)
    target_shop.kill()
    pay(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your order is kept safe")
    nudged = refetches(page)
    target_shop.start(target_shop.port)
    target.hung.forget()
    placement.place_waiting(now=timezone.now() + timedelta(seconds=60))
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Your order is placed.")
    assert any("/state/" in url for url in nudged)
    assert len(target_shop.get("/api/orders").json["items"]) == 1


def test_a_changed_total_is_asked_and_answered_with_one_press(
    visit: Visit, target_shop: Shop
) -> None:
    page = visit("/shop/").page
    at_checkout(page)
    target_shop.kill()
    pay(page)
    target_shop.edit_config(lambda config: config["shipping"]["DE"].update(flat_cents=990))
    target_shop.start(target_shop.port)
    placement.place_waiting(now=timezone.now() + timedelta(seconds=60))
    page.get_by_role("button", name="Yes, pay").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Your order is placed.")
    assert target_shop.get("/api/orders").json["items"][0]["shipping_cents"] == 990


def test_a_double_click_on_pay_buys_once(visit: Visit, target_shop: Shop) -> None:
    target_shop.edit_config(lambda config: config["payment"].update(sandbox_latency_seconds=0.5))
    page = visit("/shop/").page
    at_checkout(page)
    page.get_by_role("button", name="Pay").dblclick(no_wait_after=True)
    page.wait_for_url("**/shop/orders/*/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you. Your order is placed.")
    assert len(target_shop.get("/api/orders").json["items"]) == 1
    assert Checkout.objects.count() == 1


def test_an_order_placed_at_the_api_shows_in_the_live_viewer_by_a_push(
    visit: Visit, target_shop: Shop, bhumika: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.watching.anybody", lambda what: True)
    opened = visit("/live/", person=bhumika)
    page = opened.page
    expect(page.get_by_role("heading", name="Orders", exact=True)).to_be_visible()
    tracking.look()
    nudged = refetches(page)
    order = target_shop.buy().json
    assert tracking.look() == 1
    expect(page.get_by_role("cell", name=order["id"])).to_be_visible()
    assert any("/live/panels/" in url for url in nudged)
    assert opened.complaints == []


def test_an_open_answer_stays_open_when_it_is_read_again(visit: Visit, bhumika: User) -> None:
    page = visit("/live/", person=bhumika).page
    first = page.locator("#panel-1-json")
    first.locator("summary").click()
    with page.expect_response(lambda answer: "/live/panels/" in answer.url):
        pass
    expect(first.locator("pre")).to_be_visible()


def check(page: Page, name: str) -> None:
    """Fail on anything that axe finds, and on a page that is wider than its window."""
    page.evaluate(AXE)
    assert page.evaluate(VIOLATIONS) == [], name
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


THEMES = pytest.mark.parametrize("dark", [False, True])
WIDTHS = pytest.mark.parametrize("width", [390, 1440])


@THEMES
@WIDTHS
def test_every_page_of_the_shop_passes_axe_and_fits(visit: Visit, width: int, dark: bool) -> None:
    opened = visit("/shop/", width=width, dark=dark)
    page = opened.page
    at_checkout(page)
    check(page, "checkout")
    pay(page)
    check(page, "order")
    for path in ("/shop/", "/shop/products/hand-balm/", "/shop/orders/", "/shop/account/"):
        page.goto(path)
        check(page, path)
    page.get_by_role("button", name="Sign up").click()
    check(page, "sign-up with errors")
    page.goto("/shop/products/hand-balm/")
    page.get_by_role("button", name="Add to cart", exact=True).click()
    expect(page.get_by_text("Hand Balm is in your cart.")).to_be_visible()
    page.goto("/shop/cart/")
    check(page, "cart")
    assert [text for text in opened.complaints if "422" not in text] == []


@THEMES
@WIDTHS
def test_pages_of_an_outage_pass_axe_and_fit(
    visit: Visit, target_shop: Shop, width: int, dark: bool
) -> None:
    opened = visit("/shop/", width=width, dark=dark)
    page = opened.page
    at_checkout(page)
    target_shop.kill()
    pay(page)
    check(page, "waiting order")
    page.goto("/shop/")
    check(page, "stale catalogue")
    page.goto("/status/")
    expect(page.get_by_role("heading", name="Past incidents")).to_be_visible()
    check(page, "status")
    assert opened.complaints == []


@THEMES
@WIDTHS
def test_the_live_viewer_passes_axe_and_fits(
    visit: Visit, shweta: User, width: int, dark: bool
) -> None:
    opened = visit("/live/", person=shweta, width=width, dark=dark)
    expect(opened.page.get_by_role("heading", name="Simulated traffic")).to_be_visible()
    expect(opened.page.get_by_role("heading", name="Incidents")).to_be_visible()
    check(opened.page, "live")
    assert opened.complaints == []
