"""Every page in a real browser, in both themes and at two widths: there, accessible, quiet, narrow enough and light."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from incidents import providers
from incidents.models import ClearanceReport
from incidents.pipeline.report import report
from incidents.states import Step
from monitoring.models import Service
from teams.models import User
from tests.browser.conftest import OpenPage, Watched
from tests.browser.stack import Web
from tests.incidents import rows
from tests.shop.conftest import register
from tests.target_app.shop import Shop

AXE = (Path(__file__).parents[1] / "vendor" / "axe.min.js").read_text()
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
WHOLE_PAGE, SCRIPTS = 150_000, 100_000
"""Bytes over the wire, headers and all, of a first visit."""
TEAM = [
    "/",
    "/?group=all",
    "/incidents/{waiting}/",
    "/incidents/{healed}/",
    "/incidents/{waiting}/propose/",
    "/services/",
    "/services/shop/",
    "/services/shop/break/",
    "/live/",
    "/analytics/",
    "/reports/",
    "/reports/{report}/",
    "/reports/{report}/print/",
    "/learning/",
    "/team/",
    "/notifications/",
    "/notifications/settings/",
    "/accounts/profile/",
    "/accounts/password/",
    "/help/decides/",
    "/help/alone/",
]
MANAGER = ["/vendors/", "/", "/services/shop/"]
CONSOLE = ["/admin/", "/admin/monitoring/service/", "/admin/teams/matrixrow/"]
"""Drawn by django-unfold: only what we add to it is ours to answer for, so no axe here."""
PUBLIC = [
    "/accounts/login/",
    "/accounts/reset/",
    "/status/",
    "/offline/",
    "/shop/",
    "/shop/products/stoneware-mug/",
    "/shop/cart/",
    "/shop/orders/",
    "/shop/account/",
]
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
WEIGHT = """() => {
  const got = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
  const sum = rows => rows.reduce((total, row) => total + row.transferSize, 0);
  return {all: sum(got), scripts: sum(got.filter(row => row.initiatorType === 'script')),
          each: got.map(row => [row.name, row.transferSize])};
}"""
looks = pytest.mark.parametrize(
    "look",
    [(390, False), (390, True), (1440, False), (1440, True)],
    ids=["phone-light", "phone-dark", "wide-light", "wide-dark"],
)


@dataclass
class World:
    """What `{names}` in the addresses stand for."""

    names: dict[str, int]

    def address(self, path: str) -> str:
        """Return the address with its numbers."""
        return path.format(**self.names)


@pytest.fixture
def world(web: Web, shweta: User, tmp_path: Path) -> Iterator[World]:
    """Have a running shop, an incident that waits, and one that was healed and reported."""
    shop = Shop.copied_to(tmp_path / "shop")
    shop.start()
    service = register(shop)
    Service.objects.filter(pk=service.pk).update(is_demo=True)
    waiting, healed = rows.asked(service), rows.resolved(service, shweta)
    healed.touch(step=Step.REPORT)
    healed.refresh_from_db()
    report(healed, providers.tools())
    number = ClearanceReport.objects.get(incident=healed).pk
    yield World({"waiting": waiting.pk, "healed": healed.pk, "report": number})
    shop.kill()


@looks
@pytest.mark.timeout(420)
@pytest.mark.parametrize("paths", [TEAM, PUBLIC], ids=["team", "public"])
def test_pages_of_the_lead_and_the_public(
    open_page: OpenPage, world: World, shweta: User, paths: list[str], look: tuple[int, bool]
) -> None:
    watched = open_page(shweta, "/offline/", width=look[0], dark=look[1])
    if paths is PUBLIC:
        watched.page.context.clear_cookies()
    found = faults_of(watched, [world.address(path) for path in paths])
    assert found == {}, "\n".join(f"{path}: {faults}" for path, faults in found.items())


@looks
@pytest.mark.timeout(420)
def test_pages_of_the_manager(
    open_page: OpenPage, world: World, maya: User, look: tuple[int, bool]
) -> None:
    watched = open_page(maya, "/offline/", width=look[0], dark=look[1])
    found = faults_of(watched, [world.address(path) for path in MANAGER])
    assert found | faults_of(watched, CONSOLE, ours=False) == {}


@pytest.mark.parametrize("path", ["/", "/incidents/{waiting}/", "/shop/"])
def test_a_first_visit_is_light(open_page: OpenPage, world: World, shweta: User, path: str) -> None:
    page = open_page(shweta, world.address(path)).page
    settle(page)
    weight = page.evaluate(WEIGHT)
    assert 0 < weight["scripts"] <= SCRIPTS, weight
    assert weight["scripts"] < weight["all"] <= WHOLE_PAGE, weight


def faults_of(watched: Watched, paths: list[str], *, ours: bool = True) -> dict[str, list[Any]]:
    """Return what is wrong by page, and nothing of pages with which nothing is wrong."""
    found: dict[str, list[Any]] = {}
    for path in paths:
        watched.complaints.clear()
        answer = watched.page.goto(path)
        settle(watched.page)
        faults: list[Any] = [] if answer and answer.status == 200 else [answer and answer.status]
        faults += seen_on(watched.page, ours=ours) + watched.complaints
        found |= {path: faults} if faults else {}
    return found


def seen_on(page: Page, *, ours: bool) -> list[Any]:
    """Return what is wrong with what is on show, with closed sections opened."""
    page.evaluate(
        "() => document.querySelectorAll('#main details:not([data-menu])').forEach(d => d.open = true)"
    )
    faults: list[Any] = []
    if (wide := page.evaluate(SIDEWAYS)) > 0:
        faults.append(f"scrolls sideways by {wide}")
    if ours and (headings := page.locator("h1").count()) != 1:
        faults.append(f"{headings} h1")
    if ours:
        page.evaluate(AXE)
        broken = page.evaluate("rules => axe.run(document, rules)", RULES)["violations"]
        faults += [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in broken]
    return faults


def settle(page: Page) -> None:
    """Wait until the fragments that a page loads by itself are there."""
    page.wait_for_load_state("load")
    page.wait_for_function("() => !document.querySelector('.skeleton, .htmx-request')")
