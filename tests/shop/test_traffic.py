"""Simulated shoppers: real, bounded, never two runs at once, and over when they say."""

from __future__ import annotations

import threading
from datetime import timedelta
from io import StringIO
from itertools import islice

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from monitoring.models import RecordedExchange, Service
from shop import shelf
from shop.models import TrafficRun, TrafficSecond
from shop.traffic import chart, mix, run
from shop.views import traffic as views
from teams.models import User
from tests.shop.store import Store, text_of
from tests.target_app.shop import Shop, wait_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def demo(service: Service) -> Service:
    service.is_demo = True
    service.save()
    return service


def begun(service: Service, *, rate: float = 20, seconds: int = 2) -> TrafficRun:
    started, is_new = run.start(service, rate=rate, shares="60,20,20", seconds=seconds)
    assert is_new
    return started


@pytest.mark.django_db(transaction=True)
def test_a_run_sends_real_requests_at_its_rate_and_stops_by_itself(
    demo: Service, target_shop: Shop
) -> None:
    shelf.refill()
    started = begun(demo)
    run.drive(started)
    started.refresh_from_db()
    assert (started.is_running, started.ended_at is not None) == (False, True)
    sent = sum(started.seconds.values_list("count", flat=True))
    assert 25 <= sent <= 60  # 20 a second for 2 to 3 seconds, on a machine that may be busy
    assert RecordedExchange.objects.filter(source=run.SOURCE).count() == sent
    bought = RecordedExchange.objects.filter(source=run.SOURCE, method="POST", status=201)
    assert len(target_shop.get("/api/orders?limit=100").json["items"]) == bought.count() > 0


@pytest.mark.django_db(transaction=True)
def test_errors_are_counted_while_the_service_is_down(demo: Service, target_shop: Shop) -> None:
    target_shop.kill()
    started = begun(demo, seconds=1)
    run.drive(started)
    seconds = list(started.seconds.all())
    assert sum(one.errors for one in seconds) == sum(one.count for one in seconds) > 0


@pytest.mark.django_db(transaction=True)
def test_a_run_is_ended_by_a_person_within_a_second(demo: Service) -> None:
    started = begun(demo, rate=5, seconds=120)

    def drive() -> None:
        run.drive(started)
        connection.close()

    driver = threading.Thread(target=drive)
    driver.start()
    wait_for(lambda: TrafficSecond.objects.exists(), "the run did not begin")
    assert run.stop(demo)
    driver.join(10)
    assert not driver.is_alive()


def test_a_second_start_joins_the_run_that_goes_on(demo: Service) -> None:
    first = begun(demo)
    second, is_new = run.start(demo, rate=50, shares="1,1,1", seconds=300)
    assert (second.pk, is_new) == (first.pk, False)
    assert TrafficRun.objects.count() == 1


def test_a_run_is_driven_by_one_process_only(demo: Service) -> None:
    started = begun(demo)
    TrafficRun.objects.update(driven=True)
    run.drive(started)
    assert not RecordedExchange.objects.exists()
    started.refresh_from_db()
    assert started.is_running


def test_a_run_whose_process_was_killed_does_not_block_the_next(demo: Service) -> None:
    dead = begun(demo)
    TrafficRun.objects.update(driven=True, beat_at=timezone.now() - timedelta(seconds=11))
    _, is_new = run.start(demo, rate=1, shares="1,0,0", seconds=1)
    dead.refresh_from_db()
    assert (is_new, dead.is_running) == (True, False)


@pytest.mark.parametrize(
    ("rate", "shares", "seconds"),
    [
        (0, "1,1,1", 5),
        (-1, "1,1,1", 5),
        (50.5, "1,1,1", 5),
        (float("nan"), "1,1,1", 5),
        (5, "1,1,1", 0),
        (5, "1,1,1", 301),
        (5, "0,0,0", 5),
        (5, "1,1", 5),
        (5, "a,b,c", 5),
        (5, "-1,1,1", 5),
    ],
)
def test_what_is_out_of_bounds_is_refused_in_words(
    demo: Service, rate: float, shares: str, seconds: int
) -> None:
    with pytest.raises(run.CannotStart, match=r"must be|mix"):
        run.start(demo, rate=rate, shares=shares, seconds=seconds)
    assert not TrafficRun.objects.exists()


def test_services_of_a_customer_get_no_simulated_shoppers(service: Service) -> None:
    with pytest.raises(run.CannotStart, match="demo services only"):
        run.start(service, rate=1, shares="1,1,1", seconds=1)


def test_the_mix_has_the_shares_that_were_asked_for() -> None:
    drawn = [kind for kind, _ in islice(mix.requests((70, 20, 10), ["a"], seed="s"), 2000)]
    shares = [drawn.count(kind) / 2000 for kind in mix.KINDS]
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.04)
    keys = [
        r.headers["idempotency-key"] for k, r in islice(mix.requests((0, 0, 1), [], seed="s"), 9)
    ]
    assert len(set(keys)) == 9


@pytest.mark.django_db(transaction=True)
def test_the_command_prints_every_second_and_refuses_a_second_run(
    demo: Service, store: Store
) -> None:
    out = StringIO()
    call_command("simulate_traffic", "shop", rate=10, seconds=1, stdout=out)
    assert "answered" in out.getvalue()
    begun(demo)
    with pytest.raises(CommandError, match="runs already"):
        call_command("simulate_traffic", "shop")
    with pytest.raises(CommandError, match="no service"):
        call_command("simulate_traffic", "nothing")


def page_of(person: User) -> Client:
    browser = Client()
    browser.force_login(person, backend="teams.backend.PeopleBackend")
    return browser


def test_the_button_is_for_those_who_may_and_tells_a_worker(
    demo: Service, yash: User, bhumika: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    def hear(one: TrafficRun) -> bool:
        told.append(one.pk)
        return True

    monkeypatch.setattr(views, "_told", hear)
    form = {"rate": "5", "mix": "70,20,10", "seconds": "30"}
    assert page_of(bhumika).post("/live/traffic/shop/start/", form).status_code == 403
    assert not TrafficRun.objects.exists()
    assert "running" in text_of(page_of(yash).post("/live/traffic/shop/start/", form))
    again = page_of(yash).post("/live/traffic/shop/start/", form)
    assert "runs already" in text_of(again)
    assert told == [TrafficRun.objects.get().pk]
    assert page_of(bhumika).post("/live/traffic/shop/stop/").status_code == 403
    page_of(yash).post("/live/traffic/shop/stop/")
    assert not TrafficRun.objects.filter(is_running=True).exists()


def test_a_start_that_no_worker_hears_leaves_nothing_running(
    demo: Service, yash: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "_told", lambda one: False)
    form = {"rate": "5", "mix": "70,20,10", "seconds": "30"}
    answer = page_of(yash).post("/live/traffic/shop/start/", form)
    assert "broker is away" in text_of(answer)
    assert not TrafficRun.objects.filter(is_running=True).exists()


def test_the_chart_stays_in_its_box() -> None:
    seconds = [chart.Second(count=n, errors=n // 2, p50_ms=n, p95_ms=2.0 * n) for n in range(90)]
    drawn = chart.draw(seconds)
    assert len(drawn["bars"]) == chart.SECONDS
    for bar in drawn["bars"]:
        assert 0 <= bar["good_y"] <= bar["bad_y"] <= chart.BASE
        assert 0 <= bar["x"] <= chart.WIDTH - bar["width"]
    assert chart.draw([chart.Second(count=0, errors=0, p50_ms=0, p95_ms=0)])["most"]
