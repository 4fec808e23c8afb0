"""The storefront: its catalogue beside the API's own answer time, and 50 shoppers who buy while the shop breaks and heals.

Run `./agentops bench shop [--shoppers 50] [--seconds 60]`. The bug fault is put in half way; after the end every order
that a shopper was shown is followed until it is settled. An order is lost when the shop does not know it, double when
the shop knows it twice; an error shown to a shopper is excused only while the shop itself failed when asked directly.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from bench._report import Goal, at_most, percentile, report
from bench._shopper import Browser, Shopper, Visit
from bench._stack import Stack, wait_for

READS = 150
MOST_SHOPPERS, MOST_SECONDS = 100, 300
SETTLE_LIMIT = 120.0
GRACE = 3.0  # a page may show, for so long, that the shop was away a moment ago
ASKED = ("/health", "/api/products", "/api/products/stoneware-mug", "/api/analytics")
QUOTE = {"items": [{"product_id": "stoneware-mug", "quantity": 1}]}


@dataclass
class Truth:
    """Asks the shop itself all the time, so that it is known when it was down."""

    address: str
    failing: list[tuple[float, float]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Note every stretch of time from a failure of any part of the shop to its next good answers."""
        browser, since = Browser(self.address), 0.0
        while not self.over.wait(0.2):
            began = time.monotonic()
            is_well = all(self._is_well(browser, path) for path in ASKED) and self._sells(browser)
            if not is_well:
                since = since or began
            elif since:
                self.failing.append((since, began))
                since = 0.0
        if since:
            self.failing.append((since, time.monotonic()))

    def excuses(self, visit: Visit) -> bool:
        """Say whether the shop failed while a page was being made.

        A page is asked for, waits, and is answered: a purchase that was begun before the shop broke and reached it
        afterwards shows rightly that it waits. One that was begun after the repair has no such excuse.
        """
        return any(
            start - GRACE <= visit.at + visit.seconds and visit.at <= end + GRACE
            for start, end in self.failing
        )

    def _is_well(self, browser: Browser, path: str) -> bool:
        try:
            return browser.get(path).status < 400
        except (OSError, HTTPException):
            return False

    def _sells(self, browser: Browser) -> bool:
        try:
            return browser.post_json("/api/quote", QUOTE).status < 400
        except (OSError, HTTPException):
            return False


def main() -> int:
    """Measure and report; 0 when every goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shoppers", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    shoppers = max(1, min(MOST_SHOPPERS, options.shoppers))
    seconds = max(10, min(MOST_SECONDS, options.seconds))
    with tempfile.TemporaryDirectory(prefix="agentops-bench-") as folder:
        stack = Stack(Path(folder, "data"))
        stack.start()
        try:
            address = stack.call("shweta", "GET", "services/shop")[1]["address"]
            wait_for(stack.healthy, limit=60)
            speed = catalogue_speed(stack.url, address)
            crowd = crowded(stack, address, shoppers=shoppers, seconds=seconds)
        finally:
            stack.stop()
    goals = [*speed_goals(speed), *crowd_goals(crowd)]
    title = f"Storefront: catalogue, and {shoppers} shoppers for {seconds} s with a bug half way"
    return report("shop", title, goals, {"catalogue": speed, "crowd": crowd})


def catalogue_speed(site: str, api: str) -> dict[str, float]:
    """Return medians in milliseconds, asked in turn so that both see the same machine."""
    pages, answers = Browser(site), Browser(api)
    times: dict[str, list[float]] = {"page": [], "api": []}
    for _ in range(READS):
        times["page"].append(pages.get("/shop/").seconds * 1000)
        times["api"].append(answers.get("/api/products").seconds * 1000)
    return {
        "page_p50_ms": percentile(times["page"], 0.5),
        "page_p95_ms": percentile(times["page"], 0.95),
        "api_p50_ms": percentile(times["api"], 0.5),
    }


def crowded(stack: Stack, api: str, *, shoppers: int, seconds: int) -> dict[str, Any]:
    """Let shoppers in, break the shop half way, follow every order to its end, and count."""
    truth = Truth(api)
    watcher = threading.Thread(target=truth.watch)
    watcher.start()
    until = time.monotonic() + seconds
    seeds = [random.Random(number) for number in range(shoppers)]  # noqa: S311 - a simulation
    crowd = [Shopper(Browser(stack.url), number, seed) for number, seed in enumerate(seeds)]
    threads = [threading.Thread(target=one.shop_until, args=(until,)) for one in crowd]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 2)  # half way: the crowd is at work
    injected = stack.call("shweta", "POST", "services/shop/faults", {"fault": "bug"})[0]
    for thread in threads:
        thread.join()
    began = time.monotonic()
    healed = _healed(stack)
    for one in crowd:
        one.follow_all(began + SETTLE_LIMIT)
    truth.over.set()
    watcher.join()
    return counted(crowd, truth, sold(api)) | {"fault_status": injected, **healed}


def counted(crowd: list[Shopper], truth: Truth, orders: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare what shoppers were told with what the shop sold; each purchase has an e-mail address of its own."""
    told = {email: state for one in crowd for email, state in one.orders.items()}
    emails = [order["customer"]["email"] for order in orders]
    ours = [email for email in emails if email in told or email.endswith("@bench.example.com")]
    visits = [visit for one in crowd for visit in one.visits]
    errors = [visit for visit in visits if visit.is_error]
    times = [visit.seconds * 1000 for visit in visits]
    return {
        "pages": len(visits),
        "orders_told": len(told),
        "orders_sold": len(ours),
        "lost": sum(state == "placed" and email not in ours for email, state in told.items()),
        "double": len(ours) - len(set(ours)),
        "unsettled": sum(state in {"waiting", "asking", ""} for state in told.values()),
        "waited": sum(one.waited for one in crowd),
        "errors": len(errors),
        "errors_unexcused": sum(not truth.excuses(visit) for visit in errors),
        "first_unexcused": [v.what for v in errors if not truth.excuses(v)][:5],
        "seconds_failing": round(sum(end - start for start, end in truth.failing), 1),
        "page_p50_ms": percentile(times, 0.5),
        "page_p95_ms": percentile(times, 0.95),
    }


def sold(api: str) -> list[dict[str, Any]]:
    """Return every order that the shop knows."""
    browser, found, after = Browser(api), [], ""
    while True:
        page = json.loads(browser.get(f"/api/orders?limit=100&after={after}").body)
        found += page["items"]
        after = page["next"] or ""
        if not after:
            return found


def _healed(stack: Stack) -> dict[str, Any]:
    """Wait until the shop is well again: by the agent, else we put it back and say so."""
    began = time.monotonic()
    try:
        wait_for(stack.healthy, limit=60, every=0.5)
    except AssertionError:
        stack.call("shweta", "POST", "services/shop/restore")
        wait_for(stack.healthy, limit=60, every=0.5)
        return {"healed_by": "restore", "healed_after_s": round(time.monotonic() - began, 1)}
    return {"healed_by": "agent", "healed_after_s": round(time.monotonic() - began, 1)}


def speed_goals(speed: dict[str, float]) -> list[Goal]:
    """Return the figures of the catalogue."""
    more = speed["page_p50_ms"] - speed["api_p50_ms"]
    return [
        at_most("catalogue page, p50 over the API's own answer", more, 25, "ms"),
        Goal(what="catalogue page, p95", measured=f"{speed['page_p95_ms']:.3g} ms"),
    ]


def crowd_goals(crowd: dict[str, Any]) -> list[Goal]:
    """Return the figures of the crowd."""
    return [
        at_most("orders lost", crowd["lost"], 0, ""),
        at_most("orders placed twice", crowd["double"], 0, ""),
        at_most("orders neither placed nor refused at the end", crowd["unsettled"], 0, ""),
        at_most("errors shown while the shop was well", crowd["errors_unexcused"], 0, ""),
        Goal(what="orders sold", measured=str(crowd["orders_sold"])),
        Goal(what="orders that waited in the outbox", measured=str(crowd["waited"])),
        Goal(what="pages", measured=str(crowd["pages"])),
        Goal(what="page under load, p95", measured=f"{crowd['page_p95_ms']:.3g} ms"),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
