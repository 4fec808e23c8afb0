"""A purchase that fails while every probe is well: seen in real requests, replayed in the copy, healed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.utils import timezone

from incidents.models import Evidence, Incident
from incidents.pipeline import detect
from incidents.states import Status
from monitoring import recorder, snapshots
from monitoring.models import Service
from monitoring.values import HttpRequest
from tests.incidents import world

pytestmark = pytest.mark.django_db(transaction=True)
ITEMS = [{"product_id": "linen-apron", "quantity": 1}]
GOOD = "tax = tax_on(subtotal + wrapping, tax_rate)"


def buy(service: Service, country: str = "DE") -> int | None:
    body = json.dumps({"country": country, "items": ITEMS}).encode()
    request = HttpRequest(
        method="POST",
        path="/api/quote",
        headers={"Content-Type": "application/json"},
        body=body,
    )
    return recorder.send(service=service, request=request, source="shop").status


def break_purchases(directory: Path) -> bytes:
    file = directory / "pricing.py"
    good = file.read_bytes()
    file.write_text(file.read_text().replace(GOOD, GOOD.replace(" + wrapping", ", wrapping")))
    assert file.read_bytes() != good
    return good


def test_a_purchase_that_alone_fails_is_healed_although_probes_kept_the_broken_version(
    tmp_path: Path,
) -> None:
    with world.running_shop(tmp_path / "shop") as service:
        good = break_purchases(tmp_path / "shop")
        world.restart(service)
        assert world.probe(service).state == "healthy"
        kept = snapshots.capture(service=service, reason="test", now=timezone.now())
        assert kept is not None
        assert kept.tree()["pricing.py"] != good, "no probe sees it"

        assert [buy(service) for _ in range(3)] == [500, 500, 500]
        incident = world.run(world.detected(service))

        evidence = Evidence.objects.get(incident=incident)
        assert {raw["request"]["path"] for raw in evidence.failing} == {"/api/quote"}
        trial = incident.fixes.get(state="chosen").trial
        assert (trial.reproduced, trial.passed) == (True, True)
        assert incident.status == Status.RESOLVED
        assert (tmp_path / "shop/pricing.py").read_bytes() == good
        assert buy(service) == 200
        assert [world.probe(service).state for _ in range(2)][-1] == "healthy"
        detect.consume_changes(now=timezone.now())
        assert Incident.objects.filter(service=service).count() == 1


def test_refused_purchases_open_nothing(tmp_path: Path) -> None:
    with world.running_shop(tmp_path / "shop") as service:
        assert [buy(service, country="nowhere") for _ in range(6)] == [422] * 6
        assert world.probe(service).state == "healthy"
        assert detect.consume_changes(now=timezone.now()) == []
