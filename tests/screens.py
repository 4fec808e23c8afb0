"""The screenshots of `docs/screens/`, taken of a whole AgentOps that really healed a bug and really waits for an approval.

Run `./agentops screens [--into FOLDER] [--only NAME ...] [--whole]`. The stack runs in a data folder of its own, which is removed.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # run as a file by ./agentops, whose folder would be tests/

from bench._stack import Stack, wait_for  # noqa: E402

SIZES = {390: 844, 1440: 900}
WATCH_SECONDS = "8"
"""Of a fix: the crash that follows is not to look like its consequence."""
COLOURS = 64
"""Of a PNG's palette: flat pages look the same and take a third of the bytes."""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
PUBLIC = {"sign-in": "/accounts/login/", "status": "/status/", "shop": "/shop/"}
PEOPLE = {"vendors": "manager", "admin": "manager"}
"""Whose pages these are; the team lead looks at all others."""


def main() -> int:
    """Take the screenshots and say how large they are together."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "screens")
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--whole", action="store_true", help="whole pages, not one screen of them")
    options = parser.parse_args()
    options.into.mkdir(parents=True, exist_ok=True)
    with running() as stack, a_browser() as browser:
        pages = {name: path for name, path in addresses(stack).items() if wanted(name, options)}
        for width in SIZES:
            for theme in ("light", "dark"):
                take_all(browser, stack, pages, (width, theme), options)
    total = sum(file.stat().st_size for file in options.into.glob("*.png"))
    print(f"{len(list(options.into.glob('*.png')))} screenshots, {total / 1e6:.1f} MB")  # noqa: T201
    return 0


def wanted(name: str, options: argparse.Namespace) -> bool:
    """Say whether a page was asked for; without names, every one."""
    return not options.only or name in options.only


@contextmanager
def running() -> Iterator[Stack]:
    """Have the product run with a healed bug and a crash that waits for a person."""
    with tempfile.TemporaryDirectory(prefix="agentops-screens-") as folder:
        stack = Stack(Path(folder) / "data", WATCH_WINDOW_SECONDS=WATCH_SECONDS)
        stack.start()
        try:
            live_through(stack)
            yield stack
        finally:
            stack.stop()


def live_through(stack: Stack) -> None:
    """Let the agent heal a bug alone, then let it ask for the restart after a crash."""
    ready(stack)
    break_it(stack, "bug")
    stack.incident("RESOLVED")
    wait_for(lambda: no_longer_watched(stack), limit=60)
    ready(stack)
    with urllib.request.urlopen(f"{stack.url}/shop/", timeout=20) as shelves:  # noqa: S310
        shelves.read()  # what the shop shows in the outage that follows is what it saw last
    break_it(stack, "crash")
    stack.incident("AWAITING_APPROVAL")


def break_it(stack: Stack, fault: str) -> None:
    """Put a fault into the shop."""
    status, answer = stack.call("shweta", "POST", "services/shop/faults", {"fault": fault})
    assert status < 300, answer


def no_longer_watched(stack: Stack) -> bool:
    """Say whether the watch window of the newest incident's fix is over."""
    until = stack.incident("RESOLVED")["deployment"]["watch_until"]
    return datetime.fromisoformat(until) < datetime.now(UTC)


def ready(stack: Stack) -> None:
    """Wait until the shop is healthy and its files are last known good."""
    wait_for(stack.healthy, limit=60)
    wait_for(lambda: stack.call("shweta", "GET", "services/shop")[1]["last_known_good"], limit=60)


def addresses(stack: Stack) -> dict[str, str]:
    """Return every page by the name of its picture."""
    items: list[dict[str, Any]] = stack.call("shweta", "GET", "incidents")[1]["items"]
    waiting, healed = items[0]["id"], items[-1]["id"]
    return PUBLIC | {
        "incidents": "/?group=all",
        "incident-waiting": f"/incidents/{waiting}/",
        "incident-healed": f"/incidents/{healed}/",
        "services": "/services/",
        "service": "/services/shop/",
        "live": "/live/",
        "analytics": "/analytics/",
        "reports": "/reports/",
        "report": "/reports/1/",
        "learning": "/learning/",
        "team": "/team/",
        "notifications": "/notifications/",
        "help-decides": "/help/decides/",
        "help-alone": "/help/alone/",
        "vendors": "/vendors/",
        "admin": "/admin/",
    }


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Start the machine's Chromium, or the one that CHROMIUM names."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS, headless=True)
        yield browser
        browser.close()


def take_all(
    browser: Browser,
    stack: Stack,
    pages: dict[str, str],
    look: tuple[int, str],
    options: argparse.Namespace,
) -> None:
    """Take each page at one width and in one theme, each as the person whose page it is."""
    for person in ("", "shweta", "manager"):
        mine = {name: path for name, path in pages.items() if who_sees(name) == person}
        context = signed_in(browser, stack, person, look)
        for name, path in mine.items():
            target = options.into / f"{name}-{look[0]}-{look[1]}.png"
            take(context, path, target, whole=options.whole)
        context.close()


def who_sees(name: str) -> str:
    """Return the demo person for a page, or an empty text for a page without sign-in."""
    return "" if name in PUBLIC else PEOPLE.get(name, "shweta")


def signed_in(browser: Browser, stack: Stack, person: str, look: tuple[int, str]) -> BrowserContext:
    """Return a browser of its own in which the person has signed in by the demo button."""
    width, theme = look
    context = browser.new_context(
        viewport={"width": width, "height": SIZES[width]},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        base_url=stack.url,
    )
    if person:
        page = context.new_page()
        page.goto("/accounts/login/")
        page.locator(f"form:has(input[value='{person}@example.com']) button").click()
        page.wait_for_url("**/")
        page.close()
    return context


def take(context: BrowserContext, path: str, target: Path, *, whole: bool) -> None:
    """Take one page when its fragments are there."""
    page = context.new_page()
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == 200, (path, answer.status)
    settle(page)
    picture = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        target, optimize=True
    )
    page.close()


def settle(page: Page) -> None:
    """Wait until nothing that the page loads by itself is still a grey bar."""
    page.wait_for_load_state("load")
    page.wait_for_function("() => !document.querySelector('.skeleton, .htmx-request')")
    page.evaluate("() => document.fonts.ready.then(() => true)")


if __name__ == "__main__":
    sys.exit(main())
