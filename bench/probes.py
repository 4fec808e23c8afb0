"""What probing costs: CPU, start lag and skipped probes at 10, 100, 1,000 and 2,000 services, 5 % of them hanging.

Run `./agentops bench probes [--sizes 10,100] [--seconds 8]`. All of it is measured in this process: claiming, asking,
judging, writing state to the database (SQLite in a folder of its own, or `DATABASE_URL`). Not in it: the target, which
is another process, and the broker's ticks, which cost the same for any number of services.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import resource
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

from bench._report import Goal, at_least, at_most, percentile, report

INTERVAL, TIMEOUT, HANGING_SHARE, WARM_UP = 5.0, 2.0, 0.05, 6.0
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 16\r\n"
    b'Connection: close\r\n\r\n{"status": "ok"}'
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One size's figures: cores used, probes made and due, start lag in milliseconds."""

    services: int
    cores: float
    probes: int
    expected: int
    lag_p50_ms: float
    lag_p99_ms: float
    false_failures: int


async def _target(pipe: Connection) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        if b"/hang" in line:
            await asyncio.sleep(TIMEOUT * 2)
        else:
            writer.write(ANSWER)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=2048)
    pipe.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _run_target(pipe: Connection) -> None:
    asyncio.run(_target(pipe))


def _register(count: int, port: int) -> None:
    from django.utils import timezone

    from monitoring.claims import EARLY_PROBES
    from monitoring.models import Service, ServiceHealth
    from monitoring.schedule import phase

    Service.objects.all().delete()
    every = round(1 / HANGING_SHARE)
    services = Service.objects.bulk_create(
        Service(
            name=f"s{n}",
            slug=f"s{n}",
            directory="/nonexistent",
            command=["true"],
            port=port,
            health_path="/hang" if n % every == every - 1 else f"/health/{n}",
            interval=INTERVAL,
            timeout=TIMEOUT,
        )
        for n in range(count)
    )
    now = timezone.now()
    ServiceHealth.objects.bulk_create(
        ServiceHealth(
            service=one,
            probes=EARLY_PROBES,  # no service of this bench waits for a last known good
            next_due_at=now + timedelta(seconds=phase(one.pk) * INTERVAL),
        )
        for one in services
    )


class _Ticks:
    """Plays beat and a pool of worker threads: a tick each second, each in a thread of its own."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            thread = threading.Thread(target=self._tick, daemon=True)
            thread.start()
            self._threads.append(thread)
            time.sleep(max(0.0, 1.0 - (time.monotonic() - now)))

    def join(self) -> None:
        for thread in self._threads:
            thread.join(30)

    @staticmethod
    def _tick() -> None:
        from django.db import connection

        from monitoring.tasks import probe_due

        try:
            probe_due()
        finally:
            connection.close()


def _measured(count: int, port: int, seconds: float, lags: list[float]) -> Row:
    from monitoring.models import HealthChange

    _register(count, port)
    ticks = _Ticks()
    ticks.run(WARM_UP)
    lags.clear()
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    ticks.run(seconds)
    after, took = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - began
    measured = list(lags)
    ticks.join()
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    hanging = count // round(1 / HANGING_SHARE)
    fell = HealthChange.objects.filter(after__in=["down", "degraded"]).values("service_id")
    return Row(
        services=count,
        cores=round(used / took, 3),
        probes=len(measured),
        expected=round(count * took / INTERVAL),
        lag_p50_ms=round(percentile(measured, 0.50) * 1000, 1),
        lag_p99_ms=round(percentile(measured, 0.99) * 1000, 1),
        false_failures=max(0, fell.distinct().count() - hanging),
    )


def _watch_starts(lags: list[float]) -> None:
    """Note how late each health request starts, from the moment it was due (not from when it was claimed)."""
    from agentops_site.integrations import http_probe

    start = http_probe._Round._start

    def noted(self: Any, call: Any) -> None:
        check, part = call.key
        if part is None:
            lags.append(time.time() - check.began.timestamp())
        start(self, call)

    http_probe._Round._start = noted  # type: ignore[method-assign]


def _prepare(data: str) -> None:
    os.environ |= {"AGENTOPS_DATA": data, "DJANGO_SETTINGS_MODULE": "agentops_site.settings"}
    os.environ["LOG_LEVEL"] = "ERROR"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from monitoring import hints, realtime

    # There is no broker here: what a hint costs is part of the bench `push`.
    hints._send = lambda task, queue: None
    realtime._send = lambda message: None


def main() -> int:
    """Measure each size, print a table, and write the JSON."""
    parser = argparse.ArgumentParser(prog="bench probes")
    parser.add_argument("--sizes", default="10,100,1000,2000")
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    target = multiprocessing.get_context("spawn").Process(
        target=_run_target, args=(theirs,), daemon=True
    )
    target.start()
    lags: list[float] = []
    with tempfile.TemporaryDirectory() as data:
        _prepare(data)
        _watch_starts(lags)
        port = ours.recv()
        sizes = [int(size) for size in options.sizes.split(",")]
        rows = [_measured(size, port, options.seconds, lags) for size in sizes]
    target.terminate()
    details = {
        "database": "PostgreSQL" if os.environ.get("DATABASE_URL") else "SQLite",
        "interval_seconds": INTERVAL,
        "timeout_seconds": TIMEOUT,
        "hanging_share": HANGING_SHARE,
        "measured_seconds": options.seconds,
        "rows": [asdict(row) for row in rows],
    }
    return report("probes", "what probing costs, 5 % hanging", _goals(rows), details)


def _goals(rows: list[Row]) -> list[Goal]:
    """Return the promises of the largest size, and the cost of the others, so that the growth is seen."""
    largest = rows[-1]
    n = f"{largest.services} services at {INTERVAL:.0f} s"
    return [
        *(
            Goal(what=f"{row.services} services: cores used", measured=f"{row.cores:.3f}")
            for row in rows[:-1]
        ),
        at_most(f"{n}: cores used", largest.cores, 0.5, ""),
        at_most(f"{n}: start lag, p99", largest.lag_p99_ms, 200, "ms"),
        at_least(f"{n}: probes made of those due", largest.probes / largest.expected, 0.99),
        at_most(f"{n}: healthy services called failing", largest.false_failures, 0, ""),
    ]


if __name__ == "__main__":
    sys.exit(main())
