"""The services that Heal-Bench breaks: how each is registered, and what "works as before" means for it."""

from __future__ import annotations

import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
LIMIT = 2.0
GUEST = {"name": "Ada", "email": "ada@example.com"}


@dataclass(frozen=True, kw_only=True)
class Patient:
    """One service: where its files are, the fields of its registration, and its behaviour in one value.

    `behaviour` asks the service at an address and returns what its users would notice; it is the same value before a
    fault and after a good repair, however often it is asked.
    """

    source: Path
    fields: dict[str, Any]
    behaviour: Callable[[str], Any]

    def copy_to(self, directory: Path) -> None:
        """Put a fresh copy of its files into a directory."""
        ignored = shutil.ignore_patterns("data", "__pycache__")
        shutil.copytree(self.source, directory, ignore=ignored)


def ask(address: str, path: str, body: object = None) -> tuple[int, Any]:
    """Return status and JSON of one request; 0 and the reason when no answer came."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address + path, data=data, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:  # noqa: S310
            return int(answer.status), json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return int(error.code), {}
    except (OSError, ValueError) as error:
        return 0, type(error).__name__


def _shop(address: str) -> Any:
    lamp = ask(address, "/api/products?sort=name")
    first = [item["id"] for item in lamp[1]["items"][:2]] if lamp[0] == 200 else []
    cart = [{"product_id": item, "quantity": 2} for item in first]
    paths = ("/api/products?category=", "/api/categories", "/api/config", "/api/products/none")
    order = {"items": cart, "customer": GUEST, "idempotency_key": "bench"}
    return {
        "reads": [ask(address, path) for path in paths][1:],
        "prices": [(i["id"], i["price_cents"]) for i in lamp[1]["items"]] if lamp[0] == 200 else 0,
        "quote": ask(address, "/api/quote", {"items": cart, "country": "FR", "gift_wrap": True}),
        "order": _money(ask(address, "/api/orders", order)),
        "refused": ask(address, "/api/orders", {"items": []})[0],
        "users": ask(address, "/api/users")[0],
        "figures": _money(ask(address, "/api/analytics")),
    }


def _money(answer: tuple[int, Any]) -> object:
    status, body = answer
    names = ("subtotal_cents", "shipping_cents", "tax_cents", "total_cents", "revenue_cents")
    return status, {name: body[name] for name in names if name in body} if status else body


def _notes(address: str) -> Any:
    status, found = ask(address, "/notes")
    return {
        "title": (status, found["title"] if status == 200 else None),
        "first": found["items"][:1] if status == 200 else None,
        "written": ask(address, "/notes", {"text": "hello"})[0],
        "too_long": ask(address, "/notes", {"text": "x" * 2001})[0],
        "accents": ask(address, "/notes", {"text": "Grüße, žluťoučký"})[0],
        "long": ask(address, "/notes", {"text": "x" * 1999})[0],
        "unknown": ask(address, "/nothing")[0],
    }


def _queue(address: str) -> Any:
    jobs = {"upper": "abc", "reverse": "abc", "count": "a b c"}
    numbers = [ask(address, "/jobs", {"kind": kind, "text": jobs[kind]}) for kind in jobs]
    if any(status != 202 for status, _ in numbers):
        return [status for status, _ in numbers]
    keys = [str(body["number"]) for _, body in numbers]
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        status, found = ask(address, "/jobs")
        if status != 200 or all(found.get(key) is not None for key in keys):
            break
        time.sleep(0.01)
    return status, [found.get(key) for key in keys] if status == 200 else None


_SHOP_RULES = [
    {"request": {"path": "/api/products"}, "each": "$.items[*].price_cents", "is": "> 0"},
    {"request": {"path": "/api/products"}, "each": "$.items[*].stock", "is": ">= 0"},
    {"request": {"path": "/api/products"}, "path": "$.currency", "equals": "EUR"},
    {"request": {"path": "/api/analytics"}, "each": "$.revenue_cents", "is": ">= 0"},
    {"request": {"path": "/api/config"}, "each": "$.settings.tax_rates.*", "is": "<= 1"},
    {
        "request": {"path": "/api/orders"},
        "in": "$.items[*]",
        "sum": "$.items[*].total_cents",
        "equals": "$.subtotal_cents",
    },
]
_SHOP_READS = ("/api/products", "/api/config", "/api/orders", "/api/analytics", "/api/categories")

PATIENTS = {
    "shop": Patient(
        source=ROOT / "target_app",
        behaviour=_shop,
        fields={
            "command": ["python3", "server.py", "{port}"],
            "health_path": "/health",
            "editable_globs": ["*.py", "config.json"],
            "data_globs": ["data/**"],
            "smoke_requests": [{"path": path} for path in _SHOP_READS],
            "invariants": _SHOP_RULES,
        },
    ),
    "notes": Patient(
        source=ROOT / "tests" / "services" / "notes",
        behaviour=_notes,
        fields={
            "command": ["python3", "-m", "notebook", "{port}"],
            "health_path": "/healthz",
            "editable_globs": ["notebook/**/*.py", "notes.toml"],
            "data_globs": ["data/**"],
            "smoke_requests": [{"path": "/notes"}],
            "invariants": [
                {"request": {"path": "/notes"}, "each": "$.title", "is": "text"},
                {"request": {"path": "/notes"}, "each": "$.items[*]", "is": "text"},
            ],
        },
    ),
    "queue": Patient(
        source=ROOT / "tests" / "services" / "queue_pkg",
        behaviour=_queue,
        fields={
            "command": ["./run.sh"],
            "health_path": "/status",
            "editable_globs": ["jobs/*.py", "run.sh"],
            "smoke_requests": [{"path": "/jobs"}],
            "invariants": [{"request": {"path": "/status"}, "each": "$.waiting", "is": "< 50"}],
        },
    ),
}
