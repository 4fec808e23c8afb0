"""The incident pages in a real browser on a real server: accessible, quiet, live, and kind to whoever types."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from incidents.models import Incident, Notification
from incidents.timeline import note
from monitoring.models import Service, ServiceHealth
from teams.models import User
from tests.browser.conftest import OpenPage
from tests.browser.stack import Web, wait_for
from tests.browser.test_every_page import SIDEWAYS
from tests.incidents import rows

AXE = (Path(__file__).parents[1] / "vendor" / "axe.min.js").read_text()
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture
def service(web: Web) -> Service:
    return rows.shop()


SIGNED_OUT = """() => location.pathname === '/accounts/login/'
  || document.getElementById('connection')?.textContent.includes('You are signed out')"""


def live(page: Page) -> None:
    """Wait until the page's socket is open."""
    page.wait_for_function(
        "() => { const s = document.getElementById('socket');"
        " const i = s && s['htmx-internal-data'];"
        " return i && i.webSocket && i.webSocket.socket && i.webSocket.socket.readyState === 1; }"
    )


def violations(page: Page) -> list[Any]:
    page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(document, rules)", RULES)["violations"]
    return [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found]


@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_list_and_incident_are_accessible_and_quiet(
    open_page: OpenPage, service: Service, shweta: User, width: int, dark: bool
) -> None:
    asked = rows.asked(service)
    rows.asked(service, severity="low", title="Shop API: slow on GET /api/products")
    rows.incident(service, status="TESTING", step="trial", title="Shop API: timeout on GET /api/x")
    done = rows.resolved(service, shweta, title="Shop API: KeyError on GET /api/orders")
    for path in ("/", "/?group=all", f"/incidents/{asked.pk}/", f"/incidents/{done.pk}/"):
        watched = open_page(shweta, path, width=width, dark=dark)
        live(watched.page)
        for details in watched.page.locator("#main details:not([data-menu])").all():
            details.evaluate("element => { element.open = true }")
        assert violations(watched.page) == []
        assert watched.complaints == []
        overflow = watched.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, f"{path} scrolls sideways by {overflow}"


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_shows_in_the_header_which_service_is_down(
    open_page: OpenPage, service: Service, shweta: User, width: int
) -> None:
    ServiceHealth.objects.filter(service=service).update(state="down")
    second = rows.shop(slug="second", name="Second", port=3101)
    third = rows.shop(slug="third", name="Third", port=3102)
    ServiceHealth.objects.filter(service=second).update(state="degraded")
    page = open_page(shweta, "/", width=width).page
    worst, ill, well = page.locator("#header-health a").all()
    # Awaited, not asked once: the header is read again when the socket opens, and what was swapped out is 0 wide.
    page.wait_for_function(
        """() => {
          const [worst, ill] = document.querySelectorAll('#header-health .health span');
          return worst?.offsetWidth > 20 && ill?.offsetWidth <= 1;
        }"""
    )
    expect(worst).to_be_in_viewport(ratio=1)
    expect(worst).to_have_accessible_name(f"Down {service.name}")
    if width > 320:
        expect(ill).to_be_in_viewport(ratio=1)
        expect(ill).to_have_accessible_name(f"Degraded {second.name}")
    expect(well).to_be_hidden()  # else it is cut in half at the edge
    ServiceHealth.objects.exclude(service=third).delete()
    page.reload()
    expect(page.locator("#header-health a")).to_have_accessible_name(f"Healthy {third.name}")
    assert page.evaluate(SIDEWAYS) <= 0


def test_on_paper_there_are_moments_and_no_buttons(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    asked = rows.asked(service)
    page = open_page(shweta, f"/incidents/{asked.pk}/").page
    moment = page.locator("#main time[data-relative]").first
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as each second does
    expect(moment).to_have_text(re.compile(r"^\d{1,2} \w+ \d{4}, \d\d:\d\d:\d\d"))
    page.emulate_media(media="print")
    assert (
        page.locator("#main :is(.button, textarea, .decision-bar)").filter(visible=True).count()
        == 0
    )
    expect(page.locator("#code-traceback")).to_be_visible()  # closed sections are printed too
    # Of a grid, Chromium lays the next row over one that a page break made taller.
    for grid in page.locator("#incident-confidence :is(.stack, .confidence)").all():
        expect(grid).to_have_css("display", "block")
    after = "getComputedStyle(document.querySelector('.timeline__time'), '::after').content"
    assert re.search(r"\d{4}, \d\d:\d\d:\d\d UTC", page.evaluate(after))  # with day and zone
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(moment).not_to_have_text(re.compile(r"\d{4}"))


def test_a_change_reaches_list_and_page_without_reload(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    incident = rows.incident(service, severity="high")
    board = open_page(shweta, "/").page
    page = open_page(shweta, f"/incidents/{incident.pk}/").page
    live(board)
    live(page)
    expect(board.locator("#list-working")).to_contain_text(incident.title)
    incident.touch(status="AWAITING_APPROVAL", step="", waits_for="Shweta is asked.")
    note(incident, "decided", "Shweta is asked.")
    expect(board.locator("#list-needs")).to_contain_text(incident.title)
    expect(board.locator("#list-working")).not_to_contain_text(incident.title)
    expect(page.locator("#incident-head")).to_contain_text("Shweta is asked.")
    expect(page.locator("#timeline")).to_contain_text("Shweta is asked.")


def test_entries_stay_in_order_and_come_once_also_after_ones_own_comment(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    incident = rows.incident(service)
    page = open_page(shweta, f"/incidents/{incident.pk}/").page
    live(page)
    page.locator("#comment-text").fill("I am looking")
    page.get_by_role("button", name="Comment").click()
    expect(page.locator("#comments")).to_contain_text("I am looking")
    written = [note(incident, "joined", f"Seen again {number}").pk for number in range(30)]
    expect(page.locator(f"#entry-{written[-1]}")).to_be_visible()
    ids = page.locator("#timeline > li").evaluate_all("rows => rows.map(row => row.id)")
    numbers = [int(name.removeprefix("entry-")) for name in ids]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == incident.timeline.count()
    expect(page.locator("#comments > li")).to_have_count(1)


def test_what_is_being_typed_survives_a_push(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    incident = rows.asked(service)
    page = open_page(shweta, f"/incidents/{incident.pk}/").page
    live(page)
    page.locator("#comment-text").fill("half a sen")
    page.get_by_role("button", name="Reject").first.click()
    page.locator("#reject-reason").fill("Not now, because")
    incident.touch(severity="high")
    note(incident, "joined", "Seen again.")
    expect(page.locator("#incident-head")).to_contain_text("High")
    expect(page.locator("#reject-reason")).to_have_value("Not now, because")
    expect(page.locator("#comment-text")).to_have_value("half a sen")
    expect(page.locator("#reject-dialog")).to_be_visible()


def test_an_open_section_stays_open_over_a_push(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    incident = rows.asked(service)
    page = open_page(shweta, f"/incidents/{incident.pk}/").page
    live(page)
    page.locator("#evidence-log > summary").click()
    incident.diagnoses.update(root_cause="Something else entirely")
    note(incident, "diagnosed", "Looked again.")
    expect(page.locator("#incident-cause")).to_contain_text("Something else entirely")
    expect(page.locator("#evidence-log")).to_have_attribute("open", "")


def test_a_lost_line_is_said_and_the_state_is_read_again(
    open_page: OpenPage, service: Service, shweta: User, web: Web
) -> None:
    incident = rows.asked(service)
    page = open_page(shweta, f"/incidents/{incident.pk}/").page
    live(page)
    web.kill()
    expect(page.locator("#connection")).to_contain_text("Reconnecting")
    expect(page.locator(".connection__text")).to_be_visible()
    Incident.objects.filter(pk=incident.pk).update(status="CLOSED", waits_for="")
    entry = rows.say(incident, "closed", "closed it", actor="Yash")
    web.start()
    expect(page.locator("#incident-head")).to_contain_text("Closed by a person", timeout=20_000)
    expect(page.locator(f"#entry-{entry.pk}")).to_have_count(1)
    expect(page.locator(".connection__text")).to_be_hidden()


def test_what_nothing_is_pushed_of_is_read_again_after_a_lost_line(
    open_page: OpenPage, service: Service, shweta: User, web: Web
) -> None:
    page = open_page(shweta, "/notifications/").page
    live(page)
    web.kill()
    expect(page.locator(".connection__text")).to_be_visible()
    Notification.objects.create(person=shweta, kind="asked", text="Told meanwhile", key="told")
    web.start()
    expect(page.locator("#notifications")).to_contain_text("Told meanwhile", timeout=20_000)


def test_signing_out_elsewhere_is_said_and_not_retried(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    page = open_page(shweta, "/").page
    live(page)
    shweta.is_active = False
    shweta.save()
    # A page that asks for something at that very moment is led to the sign-in instead.
    page.wait_for_function(SIGNED_OUT)


def test_the_keyboard_alone_finds_opens_and_rejects(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    rows.asked(service, title="Shop API: first")
    second = rows.asked(service, title="Shop API: second")
    page = open_page(shweta, "/").page
    live(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(":focus")).to_have_text("Shop API: second")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/incidents/{second.pk}/")
    live(page)
    page.keyboard.press("a")
    expect(page.locator("#approve-dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(page.locator("#reject-dialog")).to_be_visible()
    page.locator("#reject-reason").focus()
    page.keyboard.type("Not in the night")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#incident-head")).to_contain_text("rejected")
    expect(page.locator("#toasts")).to_contain_text("Rejected")


def test_a_refusal_is_told_though_the_push_came_before_it(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    incident = rows.asked(service)
    watched = open_page(shweta, f"/incidents/{incident.pk}/")
    page = watched.page
    live(page)
    held: list[Route] = []
    answers: list[APIResponse] = []

    def hold(route: Route) -> None:
        answers.append(route.fetch())
        held.append(route)

    page.route("**/do/approve/", hold)
    page.keyboard.press("a")
    page.locator("#approve-dialog").get_by_role("button", name="Approve").click()
    wait_for(
        lambda: page.evaluate("() => true") and held
    )  # Playwright hands over while it is asked
    incident.touch(status="CLOSED")
    note(incident, "closed", "Yash closed it.")
    expect(page.locator("#incident-head")).to_contain_text("Closed")
    held[0].fulfill(response=answers[0])
    expect(page.locator("#toasts")).to_contain_text("healthy again")
    expect(page.locator("#incident-decision")).not_to_contain_text("Approve")
    assert [text for text in watched.complaints if "409" not in text] == []


def test_long_names_do_not_push_a_phone_sideways(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    long = (
        f"OperationalError on POST /api/v2/settlements/{'batches' * 8}/2026-11-27T00:00:00Z/entries"
    )
    Service.objects.filter(pk=service.pk).update(name=f"Settlement of vendors {'x' * 60}")
    incident = rows.asked(service, title=long)
    page = open_page(shweta, "/", width=390).page
    for path in ["/", f"/incidents/{incident.pk}/", "/services/", "/team/"]:
        page.goto(path)
        page.wait_for_load_state("load")
        assert page.evaluate(SIDEWAYS) == 0, path


def test_the_bar_keeps_its_place_only_while_something_is_asked(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    asked, over = rows.asked(service), rows.resolved(service, shweta)
    page = open_page(shweta, f"/incidents/{asked.pk}/", width=390).page
    expect(page.locator("#incident-decision")).to_be_in_viewport()
    page.goto(f"/incidents/{over.pk}/")
    expect(page.locator("#incident-head")).to_be_in_viewport()
    expect(page.locator("#incident-decision")).not_to_be_in_viewport()


def test_the_filter_stands_in_the_address_and_stays_live(
    open_page: OpenPage, service: Service, shweta: User
) -> None:
    incident = rows.asked(service)
    rows.resolved(service, shweta, title="Shop API: KeyError on GET /api/orders")
    watched = open_page(shweta, "/")
    page = watched.page
    live(page)
    page.get_by_label("Search").fill("nameerror")
    page.wait_for_url("**/?q=nameerror")
    live(page)  # a browser notes a socket that is replaced before it was open
    expect(page.locator("#incident-rows")).not_to_contain_text("KeyError")
    page.get_by_label("Status").select_option("waiting")
    page.wait_for_url("**/?group=waiting&q=nameerror")
    live(page)
    incident.touch(status="CLOSED")
    note(incident, "closed", "Shweta closed it.")
    expect(page.locator("#incident-rows")).to_contain_text("No incident fits")
    page.reload()
    expect(page.get_by_label("Search")).to_have_value("nameerror")
    assert watched.complaints == []


def test_fifty_a_page_by_htmx_and_back(open_page: OpenPage, service: Service, shweta: User) -> None:
    for number in range(60):
        rows.incident(service, status="CLOSED", title=f"Shop API: number {number:02d}")
    page = open_page(shweta, "/?group=all&sort=oldest").page
    expect(page.locator("#incident-rows .row")).to_have_count(50)
    page.get_by_role("link", name="Next").click()
    page.wait_for_url("**page=2")
    expect(page.locator("#incident-rows .row")).to_have_count(10)
    page.go_back()
    expect(page.locator("#incident-rows .row")).to_have_count(50)
