"""manage.py simulate_traffic SERVICE [--rate 5] [--mix 70,20,10] [--seconds 60]"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitoring.models import Service
from shop.models import TrafficRun
from shop.traffic import run as traffic


class Command(BaseCommand):
    """Send simulated shoppers to a demo service from this process, and print every second."""

    help = __doc__ or ""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("service", help="slug of the service")
        parser.add_argument("--rate", type=float, default=5.0, help="requests a second, at most 50")
        parser.add_argument("--mix", default="70,20,10", help="shares of browse, search, buy")
        parser.add_argument("--seconds", type=int, default=60, help="duration, at most 300")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until the end; Ctrl-C ends it earlier."""
        service = Service.objects.filter(slug=options["service"]).first()
        if service is None:
            raise CommandError(f"There is no service {options['service']!r}.")
        try:
            run, is_new = traffic.start(
                service,
                rate=options["rate"],
                shares=options["mix"],
                seconds=options["seconds"],
                by="command",
            )
        except traffic.CannotStart as refused:
            raise CommandError(str(refused)) from refused
        if not is_new:
            raise CommandError(f"Traffic runs already, until {run.ends_at:%H:%M:%S} UTC.")
        try:
            traffic.drive(run, told=self._print)
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")

    def _print(self, run: TrafficRun) -> None:
        last = run.seconds.order_by("-id").first()
        if last is not None:
            self.stdout.write(
                f"{last.count:4} answered {last.errors:4} errors  "
                f"p50 {last.p50_ms:7.1f} ms  p95 {last.p95_ms:7.1f} ms"
            )
