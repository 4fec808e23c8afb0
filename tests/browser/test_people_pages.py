"""The pages of notifications, reports, learning and analytics in a real browser: axe, widths, themes, no complaint."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from incidents import providers
from incidents.alerts import notify
from incidents.models import ClearanceReport, Incident, Kind, LearningRecord
from incidents.pipeline.learn import learn
from incidents.pipeline.report import report
from incidents.states import Status, Step
from incidents.values import Severity
from teams.models import User
from tests.browser.conftest import OpenPage
from tests.incidents import made, rows

AXE = (Path(__file__).parents[1] / "vendor" / "axe.min.js").read_text()
VIOLATIONS = """async () => (await axe.run()).violations.map(
    (v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; "))"""
PICTURES = os.environ.get("AGENTOPS_PICTURES", "")


@pytest.fixture
def filled(shweta: User, yash: User, maya: User, bhumika: User) -> list[str]:
    """Have three weeks of incidents; return the addresses to look at."""
    shop = made.service(slug="shop", is_demo=True)
    now = timezone.now()
    for number in range(24):
        at = now - timedelta(days=number % 21, hours=number % 5)
        row = made.incident(
            shop,
            status=Status.RESOLVED,
            step=Step.REPORT,
            severity=list(Severity)[number % 5].value,
            category=("code", "config", "slow", "crash")[number % 4],
            fingerprint=f"print-{number % 9}",
            failed_since=at - timedelta(seconds=6),
            detected_at=at,
            ended_at=at + timedelta(minutes=3 + number),
            auto_resolved=number % 3 == 0,
        )
        made.diagnosis(row)
        made.deployed(
            row, by=None if number % 3 == 0 else shweta, score=0.6 + number % 4 / 10, settled_at=at
        )
        report(row, providers.tools())
        learn(Incident.objects.get(pk=row.pk), providers.tools())
    LearningRecord.objects.filter(pk__in=[3, 9]).update(kind="relapsed", held=False)
    waiting = made.incident(shop, severity="blocker")
    notify.tell([shweta], incident=waiting, kind=Kind.ASKED, text="Waits for you", key="a")
    first = ClearanceReport.objects.latest("id")
    return [
        "/notifications/",
        "/notifications/settings/",
        "/reports/",
        f"/reports/{first.pk}/",
        f"/reports/{first.pk}/print/",
        "/learning/",
        "/analytics/",
        "/team/",
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_the_pages_pass_axe_fit_the_width_and_complain_of_nothing(
    filled: list[str], open_page: OpenPage, shweta: User, width: int, dark: bool
) -> None:
    shown = open_page(shweta, filled[0], width=width, dark=dark)
    found = {}
    for path in filled:
        shown.page.goto(path)
        shown.page.wait_for_load_state("networkidle")
        if PICTURES:
            theme = "dark" if dark else "light"
            name = f"{path.strip('/').replace('/', '-')}-{width}-{theme}.png"
            shown.page.screenshot(path=Path(PICTURES) / name, full_page=True)
        shown.page.evaluate(AXE)
        if violations := shown.page.evaluate(VIOLATIONS):
            found[path] = violations
        if shown.page.evaluate("document.documentElement.scrollWidth") > width:
            found[f"{path} width"] = "wider than the window"
    assert found == {}
    assert shown.complaints == []


def test_the_print_view_makes_a_pdf_of_few_pages(
    filled: list[str], open_page: OpenPage, shweta: User
) -> None:
    page = open_page(shweta, filled[4]).page
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert 1 <= pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") + pdf.count(b"/Type /Page/") <= 6  # fmt: skip
    page.emulate_media(media="print")
    assert not page.get_by_text("Back to the report").is_visible()


def test_a_notification_is_read_by_keyboard(
    filled: list[str], open_page: OpenPage, shweta: User
) -> None:
    page = open_page(shweta, "/notifications/?unread=1").page
    page.get_by_role("button", name="Mark as read: Waits for you").press("Enter")
    page.wait_for_load_state("networkidle")
    assert page.get_by_role("link", name="Waits for you").count() == 0


OVERLAP = """(link) => {
    const words = document.createRange(), rest = document.createRange();
    words.selectNodeContents(link); rest.selectNode(link.nextSibling);
    const lines = [...words.getClientRects()], first = rest.getClientRects()[0];
    return [lines.length, Math.max(...lines.map((line) => line.bottom)) - first.top];
}"""


def test_a_long_title_does_not_lie_over_what_follows_it(
    filled: list[str], open_page: OpenPage, shweta: User
) -> None:
    title = "Payments and reconciliation for the whole of northern Europe: TimeoutError on GET /x"
    rows.asked(made.service(slug="pay", name="Pay"), title=title)
    page = open_page(shweta, "/learning/", width=390).page
    lines, over = page.get_by_role("link", name=title).evaluate(OVERLAP)
    assert lines > 1
    assert over <= 4  # boxes of lines touch, letters do not


def test_the_console_opens_without_a_complaint(
    filled: list[str], open_page: OpenPage, maya: User
) -> None:
    for dark in (False, True):
        shown = open_page(maya, "/admin/", dark=dark)
        shown.page.wait_for_load_state("networkidle")
        if PICTURES:
            shown.page.screenshot(path=Path(PICTURES) / f"admin-{dark}.png", full_page=True)
        assert shown.page.get_by_role("heading", name="Agent").is_visible()
        assert shown.complaints == []
