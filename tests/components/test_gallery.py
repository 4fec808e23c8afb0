from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import render_to_string

from tests.components.conftest import ORIGIN, Open
from tests.components.sample import gallery, shop
from tests.components.test_sprite import symbols

AXE = (Path(__file__).parents[1] / "vendor" / "axe.min.js").read_text()
PAGES = {
    "/gallery/": lambda: render_to_string("components/gallery.html", gallery()),
    "/404/": lambda: render_to_string("404.html"),
    "/403/": lambda: render_to_string("403.html"),
    "/500/": lambda: render_to_string("500.html"),
    "/csrf/": lambda: render_to_string("403_csrf.html"),
    "/offline/": lambda: render_to_string("offline.html"),
    "/login/": lambda: render_to_string("teams/login.html", {"demo_mode": True}),
    "/shop/": lambda: render_to_string("components/gallery_shop.html", shop()),
}
VIOLATIONS = """async () => (await axe.run()).violations.map(
    (v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; "))"""


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_every_component_passes_axe_and_fits_the_width(show: Open, width: int, theme: str) -> None:
    opened = show(PAGES, viewport={"width": width, "height": 900}, color_scheme=theme)
    for path in PAGES:
        opened.page.goto(ORIGIN + path)
        opened.page.evaluate(AXE)
        assert opened.page.evaluate(VIOLATIONS) == [], path
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert opened.complaints == []


@pytest.mark.browser
def test_the_chosen_theme_outlives_a_reload_and_wins_over_the_system(show: Open) -> None:
    page = show(PAGES, color_scheme="light").page
    page.goto(f"{ORIGIN}/login/")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark theme").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    pressed = page.get_by_role("button", name="Dark theme").get_attribute("aria-pressed")
    assert pressed == "true"


@pytest.mark.browser
def test_targets_on_a_phone_are_44_pixels_high(show: Open) -> None:
    page = show(PAGES, viewport={"width": 390, "height": 844}, has_touch=True).page
    page.goto(f"{ORIGIN}/gallery/")
    small = page.evaluate(
        """() => [...document.querySelectorAll(".button, .icon-button, .tabs__item, summary, input, select")]
        .filter((el) => el.checkVisibility() && el.type !== "checkbox")
        .filter((el) => el.getBoundingClientRect().height < 44).map((el) => el.outerHTML.slice(0, 90))"""
    )
    assert small == []


@pytest.mark.browser
def test_a_keyboard_walks_the_list_and_opens_the_help(show: Open) -> None:
    page = show(PAGES).page
    page.goto(f"{ORIGIN}/gallery/")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("j")
    page.keyboard.press("j")
    focused = "document.activeElement.textContent"
    assert page.evaluate(focused) == "Product list takes 4.1 s"
    page.keyboard.press("k")
    assert page.evaluate(focused) == "Checkout answers 500: division by zero"
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keyboard shortcuts").is_visible()
    page.keyboard.press("Escape")
    page.get_by_label("Reason").fill("")
    page.keyboard.type("jkr?")
    assert page.get_by_label("Reason").input_value() == "jkr?"


@pytest.mark.browser
def test_the_phones_navigation_opens_and_closes_by_keyboard(show: Open) -> None:
    page = show(PAGES, viewport={"width": 390, "height": 844}).page
    page.goto(f"{ORIGIN}/gallery/")
    link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Analytics")
    assert not link.is_visible()
    page.get_by_role("button", name="Menu").click()
    assert link.is_visible()
    page.keyboard.press("Escape")
    assert not link.is_visible()


def test_no_template_needs_an_inline_script_or_style() -> None:
    for path in (settings.BASE_DIR / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(
            r"\sstyle=|<style|<script(?![^>]*\s(?:src=|type=.application/json))|\son[a-z]+=|hx-on|href=.javascript",
            text,
        ), path


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    named = set()
    for path in (settings.BASE_DIR / "templates").rglob("*.html"):
        named |= set(re.findall(r'icon\.html" with name="([\w-]+)"', path.read_text()))
    assert named
    assert named <= symbols()


def test_the_shell_of_the_first_page_stays_small() -> None:
    """The budget of a whole first page is 150 KB, of its scripts 100 KB, compressed."""
    page = gzip.compress(PAGES["/gallery/"]().encode())
    files = [*(settings.BASE_DIR / "static").rglob("*.*")]
    sizes = {file: len(gzip.compress(file.read_bytes())) for file in files if file.suffix != ".txt"}
    scripts = sum(size for file, size in sizes.items() if file.suffix == ".js")
    htmx_and_socket = 20_000
    assert len(page) + sum(sizes.values()) + htmx_and_socket < 130_000
    assert scripts + htmx_and_socket < 40_000
