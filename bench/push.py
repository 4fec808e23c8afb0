"""Commit to pixel: from a row that a worker's process commits to the fragment in 500 dashboards, and to the DOM of a real browser.

Run `./agentops bench push [--dashboards 500]`. Half of the dashboards show the list, half an incident; people of four roles; one
takes nothing at all. The committing process, the dashboards, the web server and the browser are processes of their own.
Beside it, afterwards, the least that a push can cost on this machine: a plain broadcast (`bench/_plain.py`) of texts as long.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from bench._dashboards import run
from bench._report import Goal, at_most, percentile, report
from bench._site import cookie_of, person, site
from bench._stack import ROOT, free_port, wait_for

if TYPE_CHECKING:
    from incidents.models import Incident
    from tests.browser.stack import Web

RUNS, EVENTS, GAP, SETTLE = 5, 20, 0.3, 3.0
PLAIN, PLAIN_LENGTH = (
    "bench:plain",
    6_000,
)  # about what a change of an incident's head, bar and timeline is
PER_PERSON = 20
SHOWN = ("incident", "list")
ROLES = ("team_lead", "senior_dev", "junior_dev", "viewer")
CHROMIUM = os.environ.get("CHROMIUM", "") or "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
OBSERVE = """() => {
  window.ticks = {};
  new MutationObserver(() => {
    const at = performance.timeOrigin + performance.now();
    for (const [text] of document.body.textContent.matchAll(/tick-\\d{6}/g)) window.ticks[text] ??= at;
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


def main() -> int:
    """Open the dashboards, commit, and report the medians of the runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dashboards", type=int, default=500)
    count = parser.parse_args().dashboards
    with site() as web:
        from tests.incidents import rows

        incident = rows.asked(rows.shop())
        lines = _lines(count, incident.pk)
        with _dashboards(web.port, lines) as pipe, _browser(web, incident, lines[-1][0]) as pages:
            time.sleep(SETTLE)  # pages that were just opened are brought up to date first
            sent = {number: _commit(incident, number) for number in range(RUNS * EVENTS)}
            time.sleep(SETTLE)  # what is still on its way
            drawn = {name: page.evaluate("window.ticks") for name, page in pages.items()}
            pipe.send("stop")
            times, still_open = pipe.recv()
        web.kill()
        plain = _plain(lines)
    runs = [_run(sent, times, drawn, number) for number in range(RUNS)]
    # A list shows a state: of two changes pushed together only the newer is seen. Lost is who never saw the last one.
    lost = count - 1 - len(times.get(max(sent), []))
    seen = sum(len(moments) for moments in times.values()) / len(sent) / (count - 1)
    details = {"runs": runs, "seen_singly": seen, "still_open": still_open, "dashboards": count}
    details["note"] = (
        f"{seen:.0%} of the changes were seen singly, the others together with a newer one or not at all; "
        f"{still_open} of {count - 1} dashboards were still open at the end. Half of them show the incident and are served "
        f"first; the half that shows the list waits until those are written to, which takes about what the plain broadcast takes."
    )
    goals = _goals(runs, lost, count)
    goals.append(Goal(what="a plain broadcast beside it, p50", measured=f"{plain:.3g} ms"))
    return report("push", "commit to pixel", goals, details)


def _plain(lines: list[tuple[str, str]]) -> float:
    """Return the median milliseconds from a publish to a dashboard when nothing is read and nothing rendered."""
    import redis

    port = free_port()
    command = [sys.executable, "-m", "agentops_site.serve", "bench._plain:application"]
    server = subprocess.Popen(  # noqa: S603 - our own interpreter and server
        [*command, "--port", str(port)],
        cwd=ROOT,
        env={**os.environ, "BENCH_CHANNEL": PLAIN},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    sent: dict[int, float] = {}
    try:
        wait_for(partial(_listens, port), limit=30)
        with (
            _dashboards(port, lines) as pipe,
            redis.Redis.from_url(os.environ["REDIS_URL"]) as line,
        ):
            time.sleep(1.0)  # as above
            for number in range(EVENTS):
                time.sleep(GAP)
                sent[number] = time.monotonic()
                line.publish(PLAIN, f"<p>tick-{number:06d}</p>{'x' * PLAIN_LENGTH}")
            time.sleep(1.0)
            pipe.send("stop")
            times, _ = pipe.recv()
    finally:
        server.terminate()
        server.wait(20)
    return percentile([(at - sent[n]) * 1000 for n, came in times.items() for at in came], 0.5)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _lines(count: int, incident: int) -> list[tuple[str, str]]:
    """Return (cookie, page) of each dashboard; a person has as many as may be open."""
    people = [person(n, ROLES[n % len(ROLES)]) for n in range(-(-count // (PER_PERSON - 1)))]
    cookies = [cookie_of(one) for one in people]
    pages = ("list", f"incident-{incident}")
    return [(cookies[n // (PER_PERSON - 1)], pages[n % 2]) for n in range(count)]


@contextmanager
def _dashboards(port: int, lines: list[tuple[str, str]]) -> Iterator[Any]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=run, args=(theirs, port, lines, 1), daemon=True)
    process.start()
    assert ours.poll(120), "the dashboards could not be opened"
    assert ours.recv() == len(lines)
    try:
        yield ours
    finally:
        process.terminate()


@contextmanager
def _browser(web: Web, incident: Incident, cookie: str) -> Iterator[Any]:
    """Open the incident and the list in a Chromium that notes when a DOM shows a marker; nothing where there is no Chromium."""
    path = CHROMIUM if os.path.exists(CHROMIUM) else shutil.which("chromium")  # noqa: PTH110
    if not path:
        yield {}
        return
    from playwright.sync_api import sync_playwright

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # its event loop lives in this thread
    name, _, value = cookie.partition("=")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        context = chromium.new_context()
        context.add_cookies([{"name": name, "value": value, "url": web.url}])
        pages = {name: context.new_page() for name in SHOWN}
        pages["incident"].goto(f"{web.url}/incidents/{incident.pk}/")
        pages["list"].goto(f"{web.url}/")
        for page in pages.values():
            page.evaluate(OBSERVE)
        yield pages
        chromium.close()


def _commit(incident: Incident, number: int) -> tuple[float, float]:
    """Commit one change as a step does; return its moment on the monotonic clock and on the wall's."""
    from django.db import transaction

    from incidents.timeline import note

    time.sleep(GAP)
    moment: list[tuple[float, float]] = []
    with transaction.atomic():
        # Registered first, so it runs as soon as the row is committed and before anything is published.
        transaction.on_commit(lambda: moment.append((time.monotonic(), time.time())))
        incident.touch(waits_for=f"tick-{number:06d}")
        note(incident, "joined", f"tick-{number:06d}")
    return moment[0]


def _run(
    sent: dict[int, tuple[float, float]],
    times: dict[int, list[float]],
    drawn: dict[str, dict[str, float]],
    number: int,
) -> dict[str, float]:
    """Return the percentiles of one run in milliseconds."""
    mine = range(number * EVENTS, (number + 1) * EVENTS)
    came = [(at - sent[n][0]) * 1000 for n in mine for at in times.get(n, [])]
    found = {"p50": percentile(came, 0.5), "p95": percentile(came, 0.95)}
    for name, ticks in drawn.items():
        marks = {n: ticks[f"tick-{n:06d}"] for n in mine if f"tick-{n:06d}" in ticks}
        pixels = [at - sent[n][1] * 1000 for n, at in marks.items()]
        found |= {f"{name}_p50": percentile(pixels, 0.5), f"{name}_p95": percentile(pixels, 0.95)}
    return {name: round(value, 1) for name, value in found.items()}


def _goals(runs: list[dict[str, float]], lost: int, count: int) -> list[Goal]:
    def median(name: str) -> float:
        return statistics.median(one[name] for one in runs)

    said = f"{count} dashboards, one stalled"
    goals = [
        at_most(f"commit to fragment, p50 ({said})", median("p50"), 60, "ms"),
        at_most(f"commit to fragment, p95 ({said})", median("p95"), 150, "ms"),
    ]
    for name in SHOWN if "list_p50" in runs[0] else ():
        what = f"commit to DOM in Chromium, {name}"
        goals.append(at_most(f"{what}, p50", median(f"{name}_p50"), 60, "ms"))
        goals.append(at_most(f"{what}, p95", median(f"{name}_p95"), 150, "ms"))
    if len(goals) == 2:
        goals.append(Goal(what="commit to DOM in Chromium", measured="not measured: no Chromium"))
    return [*goals, at_most("dashboards without the last state", lost, 0, "")]


if __name__ == "__main__":
    sys.exit(main())
