"""What the site makes of a service at Blaxel: its page, its last known good, and its probes beside local ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from agentops_site import remote_good
from agentops_site.integrations import tally
from agentops_site.integrations.blaxel_http import RoutingProber
from agentops_site.models import VendorHour
from monitoring import snapshots
from monitoring.models import Service, ServiceHealth
from monitoring.ports import Call
from monitoring.values import Answer, HttpRequest
from teams.models import User
from tests.incidents.made import service as stored_service
from tests.incidents.world import probe
from tests.integrations.blaxel.shop import RUNTIME, running_shop
from tests.standins.blaxel_api import BlaxelStandIn, error

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop(api: BlaxelStandIn, tmp_path: Path, matrix: None) -> Iterator[Service]:
    """Return a healthy shop."""
    with running_shop(tmp_path / "shop") as service:
        yield service


def test_its_page_shows_calls_errors_and_share(
    shop: Service, client: Client, shweta: User, api: BlaxelStandIn
) -> None:
    client.force_login(shweta)
    assert f"/vendors/of/{shop.slug}/" in client.get(f"/services/{shop.slug}/").content.decode()
    page = client.get(f"/vendors/of/{shop.slug}/").content.decode()
    assert "agentops-ecom" in page
    assert "of the sandbox" in page
    api.misbehave(error(503, "WORKLOAD_UNAVAILABLE"))
    assert "not known" in client.get(f"/vendors/of/{shop.slug}/").content.decode()
    api.faults.clear()


def tallied(kind: str) -> tuple[int, int]:
    """Return the requests of a kind in this hour, and how many of them got no answer."""
    row = VendorHour.objects.filter(vendor="blaxel", kind=kind).first()
    return (row.requests, row.failed) if row else (0, 0)


def test_requests_into_the_app_are_counted_by_one_row_an_hour(
    shop: Service, api: BlaxelStandIn, client: Client, maya: User, shweta: User
) -> None:
    VendorHour.objects.all().delete()
    came = api.asked("/port/")
    for _ in range(3):
        probe(shop)
    RUNTIME.request(shop.spec(), HttpRequest(path="/api/products"), 3.0)
    assert tallied("into the app") == (api.asked("/port/") - came, 0)
    assert api.asked("/port/") - came == 4
    api.misbehave(error(503, "WORKLOAD_UNAVAILABLE"))
    RUNTIME.request(shop.spec(), HttpRequest(path="/health"), 3.0)
    api.faults.clear()
    assert tallied("into the app") == (5, 1)
    assert VendorHour.objects.filter(kind="into the app").count() == 1
    client.force_login(shweta)
    assert "5 (1 without an answer)" in client.get(f"/vendors/of/{shop.slug}/").content.decode()
    client.force_login(maya)
    assert "5 (1 without an answer)" in client.get("/vendors/").content.decode()


def test_looks_at_the_process_are_counted(shop: Service) -> None:
    before, _ = tallied("about processes")
    RUNTIME.process(shop.spec())
    assert tallied("about processes")[0] > before


def test_what_could_not_be_sent_is_not_counted(shop: Service, settings: Any) -> None:
    before, key = tallied("into the app"), settings.BL_API_KEY
    settings.BL_API_KEY = ""
    assert RUNTIME.request(shop.spec(), HttpRequest(), 1.0).failure == "unreachable"
    assert tallied("into the app") == before
    settings.BL_API_KEY = key  # the shop is stopped by it


def test_old_hours_are_forgotten_and_a_locked_database_loses_a_count_only(
    shop: Service, caplog: pytest.LogCaptureFixture
) -> None:
    VendorHour.objects.all().delete()
    VendorHour.objects.create(
        vendor="blaxel", kind="about processes", hour=timezone.now() - timedelta(days=9)
    )
    tally.count("blaxel", "about processes")
    assert VendorHour.objects.get().requests == 1
    with connection.execute_wrapper(refuse):
        tally.count("blaxel", "about processes")
    assert "not counted" in caplog.text


def refuse(*_: Any) -> Any:
    """Fail as a locked database does."""
    raise OperationalError("database is locked")


def test_a_local_service_has_no_such_part(client: Client, shweta: User) -> None:
    client.force_login(shweta)
    assert client.get(f"/vendors/of/{stored_service().slug}/").content == b""


def test_its_first_last_known_good_is_kept_by_a_job(shop: Service) -> None:
    shop.snapshots.all().delete()
    now = timezone.now()
    ServiceHealth.objects.filter(service=shop).update(successes_in_row=1)
    assert remote_good.keep(now=now) == 0
    for _ in range(3):
        probe(shop)
    assert remote_good.keep(now=now) == 1
    assert "handler.py" in (snapshots.latest(shop) or pytest.fail("none")).manifest
    assert remote_good.keep(now=now) == 0
    assert remote_good.keep(now=now + timedelta(minutes=11)) == 1


def test_local_probes_go_straight(shop: Service, api: BlaxelStandIn) -> None:
    seen: dict[object, Answer] = {}
    asked = api.asked("/port/")
    calls = [
        Call(key="there", base_url=shop.spec().base_url, request=HttpRequest(path="/health"), timeout=3.0),
        Call(key="here", base_url="http://127.0.0.1:9", request=HttpRequest(), timeout=1.0),
    ]  # fmt: skip
    RoutingProber().ask(calls, lambda call, answer: seen.update({call.key: answer}))
    assert seen["there"].status == 200
    assert seen["here"].failure == "refused"
    assert api.asked("/port/") == asked + 1


def test_a_command_starts_what_is_not_here(shop: Service, api: BlaxelStandIn) -> None:
    RUNTIME.stop(shop.spec())
    said = StringIO()
    call_command("start_remote_services", stdout=said)
    assert said.getvalue() == f"{shop.slug}: running\n"
    api.misbehave(error(503, "WORKLOAD_UNAVAILABLE"))
    with pytest.raises(CommandError, match="1 of 1"):
        call_command("start_remote_services", stderr=StringIO())
    api.faults.clear()
