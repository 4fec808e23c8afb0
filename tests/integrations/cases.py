"""A small broken service as an evidence pack, for tests of everything that diagnoses, fixes or reviews."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from incidents.models import Evidence, Incident
from incidents.values import EvidenceItem, EvidencePack, Failure
from monitoring.models import Blob, Service
from monitoring.values import ProcessState

GOOD = b'''"""The handler of a small shop."""

TOKEN_HEADER = "X-Token"


def price(product):
    return product["price_cents"] / 100


def may_enter(user, password):
    return user.password == password


def health():
    return {"status": "ok" if price({"price_cents": 1}) else "bad"}
'''
BROKEN = GOOD.replace(b'product["price_cents"]', b'product["price"]')
TRACEBACK = """Traceback (most recent call last):
  File "/srv/shop/handler.py", line 7, in price
    return product["price"] / 100
           ~~~~~~~^^^^^^^^^
KeyError: 'price'
"""
GLOBS = ("*.py", "config.json")


def pack(**fields: Any) -> EvidencePack:
    """Return the evidence of a shop whose handler asks for a key that does not exist."""
    values: dict[str, Any] = {
        "service": "Shop",
        "directory": "/srv/shop",
        "is_python": True,
        "failure": Failure(
            symptom="http_error", error_type="KeyError", detail="KeyError: 'price'",
            traceback=TRACEBACK, path="/health", status=500,
        ),
        "items": (
            EvidenceItem(id="E1", kind="answer", title="The failing observation", body="GET /health -> 500"),
            EvidenceItem(id="E2", kind="traceback", title="Traceback", body=TRACEBACK),
        ),
        "process": ProcessState(phase="running", pid=4242),
        "log_tail": "started\nGET /health 500\n",
        "stacks": "",
        "current": {"handler.py": BROKEN, "config.json": b'{"currency": "EUR"}\n'},
        "last_good": {"handler.py": GOOD, "config.json": b'{"currency": "EUR"}\n'},
        "environment": {},
        "last_good_environment": {},
        "editable_globs": GLOBS,
    }  # fmt: skip
    return EvidencePack(**{**values, **fields})


def incident(**fields: Any) -> Incident:
    """Return an open incident of a service, at the step that diagnoses."""
    service = Service.objects.create(
        name="Shop", slug="shop", directory="/srv/shop", port=3000, command=["python3", "server.py"],
        editable_globs=list(GLOBS), smoke_requests=[{"path": "/health"}], autonomy="auto", is_demo=True,
    )  # fmt: skip
    values = {
        "service": service, "fingerprint": "f" * 64, "title": "KeyError in handler.py", "status": "INVESTIGATING",
        "step": "diagnose", "failure": {"symptom": "http_error", "error_type": "KeyError", "path": "/health",
                                        "status": 500, "traceback": TRACEBACK, "detail": "KeyError: 'price'"},
    }  # fmt: skip
    return Incident.objects.create(**{**values, **fields})


def with_evidence(row: Incident, given: EvidencePack) -> EvidencePack:
    """Store the pack as the incident's evidence and return it with the incident's id."""
    Evidence.objects.create(
        incident=row,
        attempt=row.attempt,
        items=[vars(item) | {"data": {}} for item in given.items],
        pack={"process": vars(given.process), "log_tail": given.log_tail, "stacks": given.stacks,
              "measured": {}, "similar": []},
        current=Blob.keep(given.current),
        last_good=None if given.last_good is None else Blob.keep(given.last_good),
        environment=dict(given.environment),
        last_good_environment=dict(given.last_good_environment or {}),
    )  # fmt: skip
    return replace(given, incident_id=row.pk, attempt=row.attempt)
