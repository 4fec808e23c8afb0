"""One run of simulated traffic: paced, bounded, stopped by its end, by a person or by its own death."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from monitoring import recorder
from monitoring.models import Service
from monitoring.rollups import percentile
from monitoring.values import HttpRequest
from shop import shelf
from shop.models import TrafficRun, TrafficSecond
from shop.traffic import mix

MOST_RATE, MOST_SECONDS = 50, 300
SOURCE = "traffic"
SHOPPERS = (
    16  # requests under way at once; a service that hangs makes them wait, as real ones would
)
TIMEOUT = 3.0
DEAD_AFTER = timedelta(seconds=10)


class CannotStart(ValueError):
    """No run was started; the message says why."""


def start(
    service: Service, *, rate: float, shares: str, seconds: int, by: str = ""
) -> tuple[TrafficRun, bool]:
    """Return the run and whether it is new: a second start joins the one that is under way. Raises CannotStart."""
    if not 0 < rate <= MOST_RATE:
        raise CannotStart(
            f"The rate must be more than 0 and at most {MOST_RATE} requests a second."
        )
    if not 1 <= seconds <= MOST_SECONDS:
        raise CannotStart(f"The duration must be from 1 to {MOST_SECONDS} seconds.")
    if not service.is_demo:
        raise CannotStart("Traffic is simulated for demo services only: it really buys.")
    try:
        mix.parse(shares)
    except mix.BadMix as error:
        raise CannotStart(str(error)) from error
    _bury_dead(service)
    now = timezone.now()
    try:
        with transaction.atomic():
            run = TrafficRun.objects.create(
                service=service,
                rate=rate,
                mix=shares,
                ends_at=now + timedelta(seconds=seconds),
                beat_at=now,
                started_by=by,
            )
    except IntegrityError:
        return TrafficRun.objects.get(service=service, is_running=True), False
    return run, True


def stop(service: Service) -> bool:
    """End the run of a service; return whether there was one."""
    running = TrafficRun.objects.filter(service=service, is_running=True)
    return bool(running.update(is_running=False, ended_at=timezone.now()))


def drive(run: TrafficRun, *, told: Callable[[TrafficRun], None] = lambda run: None) -> None:
    """Send the run's requests until it ends; `told` is called once a second. Only one process drives a run."""
    claimed = TrafficRun.objects.filter(pk=run.pk, is_running=True, driven=False)
    if not claimed.update(driven=True):
        return
    shares = mix.parse(run.mix)
    products = [product.id for product in shelf.everything() if product.stock > 0]
    wanted = mix.requests(shares, products, seed=f"{run.pk}")
    tally = _Tally(run)
    try:
        with ThreadPoolExecutor(SHOPPERS, thread_name_prefix="shopper") as pool:
            _pace(run, lambda: pool.submit(tally.send, *next(wanted)), tally, told)
        if tally.holds_any:
            tally.flush()
    finally:
        stopped = TrafficRun.objects.filter(pk=run.pk, is_running=True)
        stopped.update(is_running=False, ended_at=timezone.now())
    told(run)


def _pace(
    run: TrafficRun, send: Callable[[], object], tally: _Tally, told: Callable[[TrafficRun], None]
) -> None:
    """Start each request at its own time; when the shoppers cannot keep up, the rest is not saved up."""
    began = time.monotonic()
    sent, second = 0, 0
    while _goes_on(run, second, told, tally):
        until = began + second + 1
        while time.monotonic() < until:
            due = int((time.monotonic() - began) * run.rate)
            if due > sent and tally.under_way < SHOPPERS:
                sent += 1
                tally.begin()
                send()
            elif due > sent:
                sent = due
                tally.wait(0.05)
            else:
                time.sleep(min(0.02, 0.5 / run.rate, max(0.0, until - time.monotonic())))
        second += 1


def _goes_on(
    run: TrafficRun, second: int, told: Callable[[TrafficRun], None], tally: _Tally
) -> bool:
    """Say once a second that the run lives, and ask whether it still should."""
    if second:
        tally.flush()
        told(run)
    now = timezone.now()
    alive = TrafficRun.objects.filter(pk=run.pk, is_running=True, ends_at__gt=now)
    return bool(alive.update(beat_at=now))


def _bury_dead(service: Service) -> None:
    """Free the place of a run whose process was killed."""
    dead = TrafficRun.objects.filter(
        service=service, is_running=True, beat_at__lt=timezone.now() - DEAD_AFTER
    )
    dead.update(is_running=False, ended_at=timezone.now())


class _Tally:
    """Counts what was answered since the last flush."""

    def __init__(self, run: TrafficRun) -> None:
        self._run = run
        self._lock = threading.Condition()
        self._latencies: list[float] = []
        self._errors = 0
        self.under_way = 0

    @property
    def holds_any(self) -> bool:
        """Return whether anything was answered since the last flush."""
        return bool(self._latencies)

    def begin(self) -> None:
        with self._lock:
            self.under_way += 1

    def wait(self, seconds: float) -> None:
        """Wait until a shopper is free, for so long at most."""
        with self._lock:
            self._lock.wait_for(lambda: self.under_way < SHOPPERS, timeout=seconds)

    def send(self, _kind: str, request: HttpRequest) -> None:
        """Send one request and count its answer: failures and 5xx are errors, a refusal of the shop is not."""
        try:
            answer = recorder.send(
                service=self._run.service, request=request, source=SOURCE, timeout=TIMEOUT
            )
        finally:
            connection.close()
            with self._lock:
                self.under_way -= 1
                self._lock.notify_all()
        with self._lock:
            self._latencies.append(answer.elapsed_ms)
            self._errors += answer.status is None or answer.status >= 500

    def flush(self) -> None:
        """Write the second that is over."""
        with self._lock:
            latencies, errors = self._latencies, self._errors
            self._latencies, self._errors = [], 0
        TrafficSecond.objects.create(
            run=self._run,
            count=len(latencies),
            errors=errors,
            p50_ms=percentile(latencies, 50),
            p95_ms=percentile(latencies, 95),
        )
