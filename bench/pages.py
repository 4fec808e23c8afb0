"""What the list of incidents costs: server CPU over an empty view, queries, and the bytes of a first visit.

Run `./agentops bench pages`. CPU is this process's own while it answers the request through every middleware, compression
too; bytes are those that a browser with an empty cache gets over the wire.
"""

from __future__ import annotations

import argparse
import gzip
import re
import statistics
import sys
import time
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

from bench._report import Goal, at_most, report
from bench._site import cookie_of, many_incidents, person, site

if TYPE_CHECKING:
    from django.test import Client

    from tests.browser.stack import Web

PATHS = {"in sections": "/", "all, newest first": "/?group=all", "a word": "/?group=all&q=products"}
EMPTY = "/bench-empty/"
REQUESTS, ROUNDS = 20, 5
_LINKED = re.compile(r"<(?:script|link|img)\b[^>]*?\b(?:src|href)=\"([^\"]+)\"[^>]*>", re.DOTALL)
_NEEDED = re.compile(r"<link\b[^>]*rel=\"(?:stylesheet|icon|modulepreload|preload)\"", re.DOTALL)


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--incidents", type=int, default=5000)
    count = parser.parse_args().incidents
    with site() as web:
        _add_an_empty_view()
        lead = person(1, "team_lead")
        few, cpu, many = _measured(lead, count)
        sizes = _first_visit(web, cookie_of(lead))
    goals = [
        at_most(f"list, {name}: CPU over an empty view (50 of {count})", cpu[name], 20, "ms")
        for name in PATHS
    ]
    goals += [
        Goal(
            what=f"list, {name}: queries with 60 and with {count} incidents",
            measured=f"{few[name]} and {many[name]}",
            goal="equal",
            met=few[name] == many[name],
        )
        for name in PATHS
    ]
    total = sum(row["wire"] for row in sizes.values()) / 1000
    scripts = sum(row["wire"] for path, row in sizes.items() if ".js" in path) / 1000
    goals += [
        at_most(f"first page, all of it as sent ({len(sizes)} requests)", total, 150, "kB"),
        at_most("of that script", scripts, 100, "kB"),
    ]
    packed = sum(row["packed"] for row in sizes.values()) / 1000
    note = f"Every answer compressed by gzip, the same first page is {packed:.0f} kB."
    details = {"cpu": cpu, "bytes": sizes, "note": note}
    return report("pages", "what the list of incidents costs", goals, details)


def _add_an_empty_view() -> None:
    """Put a view that only needs somebody signed in behind the same middlewares."""
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    from agentops_site import urls
    from teams.access import needs
    from teams.roles import Verb

    @needs(Verb.VIEW)
    def empty(request: HttpRequest) -> HttpResponse:
        return HttpResponse(b"<!doctype html>")

    urls.urlpatterns.insert(0, path(EMPTY[1:], empty))


def _measured(lead: Any, count: int) -> tuple[dict[str, int], dict[str, float], dict[str, int]]:
    """Return queries with few incidents, CPU in ms over the empty view with many, and queries with many."""
    from django.test import Client

    from tests.incidents import rows

    client = Client(SERVER_NAME="127.0.0.1", HTTP_ACCEPT_ENCODING="gzip")  # as a browser asks
    client.force_login(lead, backend="teams.backend.PeopleBackend")
    service = rows.shop()
    many_incidents(service, 60)
    few = {name: _queries(client, path) for name, path in PATHS.items()}
    many_incidents(service, count - 60)
    many = {name: _queries(client, path) for name, path in PATHS.items()}
    taken = {path: [] for path in (EMPTY, *PATHS.values())}  # type: dict[str, list[float]]
    for _ in range(ROUNDS):  # in turn, so that a busy moment of the machine falls on all of them
        for path, times in taken.items():
            times.append(_cpu(client, path))
    least = {path: statistics.median(times) for path, times in taken.items()}
    over = {name: round(least[p] - least[EMPTY], 2) for name, p in PATHS.items()}
    return few, over | {"the empty view itself": round(least[EMPTY], 2)}, many


def _queries(client: Client, path: str) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(path)  # what is asked once a process does not count
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    return len(captured)


def _cpu(client: Client, path: str) -> float:
    """Return the milliseconds of CPU that one request costs."""
    begun = time.process_time()
    for _ in range(REQUESTS):
        client.get(path)
    return (time.process_time() - begun) * 1000 / REQUESTS


def _first_visit(web: Web, cookie: str) -> dict[str, dict[str, int]]:
    """Fetch the page and all that it links to, as a browser does; return the bytes as sent and as read, by path."""
    page, sizes = _fetched(web, "/", cookie)
    found = {"/": sizes}
    for match in _LINKED.finditer(page):
        path, tag = match[1], match[0]
        if path.startswith("/") and (not tag.startswith("<link") or _NEEDED.match(tag)):
            path = path.partition("#")[0]
            text, found[path] = _fetched(web, path, cookie)
            for inner in re.findall(r"url\(\"?([^)\"]+)\"?\)|@import \"([^\"]+)\"", text):
                target = urllib.parse.urljoin(path, inner[0] or inner[1])
                if target.startswith("/") and target not in found:
                    found[target] = _fetched(web, target, cookie)[1]
    return found


def _fetched(web: Web, path: str, cookie: str) -> tuple[str, dict[str, int]]:
    headers = {"Cookie": cookie, "Accept-Encoding": "gzip"}
    request = urllib.request.Request(web.url + path, headers=headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        wire = answer.read()
        head = sum(len(name) + len(value) + 4 for name, value in answer.headers.items())
        body = gzip.decompress(wire) if answer.headers["Content-Encoding"] == "gzip" else wire
    packed = min(len(gzip.compress(body)), len(body)) + head
    sizes = {"wire": len(wire) + head, "packed": packed, "read": len(body)}
    return body.decode(errors="replace"), sizes


if __name__ == "__main__":
    sys.exit(main())
