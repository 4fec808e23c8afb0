"""A shopper for benchmarks: a small browser with cookies, and somebody who looks around and buys."""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import dataclass, field
from html import unescape
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlencode, urlsplit

TIMEOUT = 30.0
AWAY = ("cannot be shown", "Our warehouse system is not answering")
PRODUCTS = ("stoneware-mug", "dot-grid-notebook", "beeswax-candles", "solid-shampoo", "hand-balm")
PERSON = {
    "line1": "Hafenstr. 1",
    "postcode": "20457",
    "city": "Hamburg",
    "country": "DE",
    "card": "tok_ok",
}


@dataclass(frozen=True)
class Visit:
    """One page: when it was asked for, what it was, how long it took, and what came."""

    at: float
    what: str
    status: int
    seconds: float
    body: str = ""
    url: str = ""

    @property
    def is_error(self) -> bool:
        """Say whether a shopper saw an error: a failed page, or words that the shop is away."""
        return self.status >= 500 or self.status == 0 or any(words in self.body for words in AWAY)


class Browser:
    """Keeps its connection and its cookies, and follows redirects."""

    def __init__(self, site: str) -> None:
        parts = urlsplit(site)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._line = HTTPConnection(self._host, self._port, timeout=TIMEOUT)
        self.cookies: dict[str, str] = {}

    def get(self, path: str) -> Visit:
        return self._visit("GET", path, None, {})

    def post(self, path: str, form: dict[str, str]) -> Visit:
        """Send a form with the CSRF token of this browser."""
        body = urlencode(form | {"csrfmiddlewaretoken": self.cookies.get("csrftoken", "")})
        return self._visit(
            "POST", path, body.encode(), {"Content-Type": "application/x-www-form-urlencoded"}
        )

    def post_json(self, path: str, body: dict[str, Any]) -> Visit:
        return self._visit(
            "POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )

    def _visit(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Visit:
        at = time.monotonic()
        status, text, where = self._once(method, path, body, headers)
        if status in {301, 302, 303} and where:
            path = where
            status, text, _ = self._once("GET", path, None, {})
        return Visit(at, f"{method} {path}", status, time.monotonic() - at, text, path)

    def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = headers | ({"Cookie": cookies} if cookies else {})
        try:
            self._line.request(method, path, body=body, headers=sent)
            answer = self._line.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, HTTPException):
            self._line.close()
            raise
        for given in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = given.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, text, answer.headers.get("Location", "")


@dataclass
class Shopper:
    """Looks around, searches, buys, and follows its orders. `orders` maps an e-mail address to how it ended."""

    browser: Browser
    number: int
    chance: random.Random
    orders: dict[str, str] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    visits: list[Visit] = field(default_factory=list)
    waited: int = 0

    def shop_until(self, end: float) -> None:
        """Go round until the time is over."""
        time.sleep(self.chance.random())  # they do not all come at the same moment
        while time.monotonic() < end:
            self.go_round()
            time.sleep(self.chance.uniform(0.3, 1.2))

    def go_round(self) -> None:
        """Browse, and buy every now and then."""
        product = self.chance.choice(PRODUCTS)
        self._open("/shop/" if self.chance.random() < 0.6 else "/shop/?q=linen")
        self._open(f"/shop/products/{product}/")
        if self.chance.random() < 0.5:
            self._buy(product)

    def follow_all(self, end: float) -> None:
        """Look at every order until it is settled; agree to a total that has changed."""
        for email, page in self.pages.items():
            while self.orders[email] in {"waiting", "asking", ""} and time.monotonic() < end:
                visit = self._open(page, noted=False)
                self._note(email, visit)
                if self.orders[email] == "asking":
                    form = {"total": _field(visit.body, "total")}
                    self.browser.post(f"{page}agree/", form)
                elif self.orders[email] == "waiting":
                    time.sleep(0.5)

    def _buy(self, product: str) -> None:
        self._send("/shop/cart/add/", {"product": product, "quantity": "1"})
        page = self._open("/shop/checkout/")
        if 'name="key"' not in page.body:
            return
        email = f"shopper-{self.number}-{len(self.orders)}@bench.example.com"
        form = PERSON | {"name": f"Shopper {self.number}", "email": email}
        form |= {name: _field(page.body, name) for name in ("key", "cart", "total")}
        self.orders[email] = ""
        bought = self._send("/shop/checkout/", form)
        if bought.status == 422:  # the total has changed meanwhile: look and press again
            form |= {name: _field(bought.body, name) for name in ("key", "cart", "total")}
            bought = self._send("/shop/checkout/", form)
        if not bought.url.startswith("/shop/orders/"):
            del self.orders[email]
            return
        self.pages[email] = bought.url
        self._note(email, bought)
        self.waited += self.orders[email] == "waiting"

    def _note(self, email: str, visit: Visit) -> None:
        words = {
            "Thank you. Your order is placed": "placed",
            "Your order is on its way": "placed",
            "Your order has arrived": "placed",
            "Your order is kept safe": "waiting",
            "Your order is being placed": "waiting",
            "The total has changed": "asking",
            "The order was not placed": "refused",
            "The card was declined": "declined",
        }
        found = [state for text, state in words.items() if text in visit.body]
        self.orders[email] = found[0] if found else self.orders[email]

    def _open(self, path: str, *, noted: bool = True) -> Visit:
        return self._kept(lambda: self.browser.get(path), path, noted=noted)

    def _send(self, path: str, form: dict[str, str]) -> Visit:
        return self._kept(lambda: self.browser.post(path, form), path, noted=True)

    def _kept(self, visit: Any, what: str, *, noted: bool) -> Visit:
        at = time.monotonic()
        try:
            made: Visit = visit()
        except (OSError, HTTPException) as error:
            made = Visit(at, f"{what}: {error}", 0, time.monotonic() - at)
        if noted:
            # The page itself is not kept: thousands of them would measure our memory.
            kept = next((words for words in AWAY if words in made.body), "")
            self.visits.append(Visit(made.at, made.what, made.status, made.seconds, kept))
        return made


def _field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    return unescape(found[1]) if found else ""
