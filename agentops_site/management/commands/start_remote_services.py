"""`manage.py start_remote_services`: start every enabled service that lives in a sandbox; make and seed it first."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitoring import providers
from monitoring.models import Service
from monitoring.ports import TargetError


class Command(BaseCommand):
    """Starts what `start_services` leaves alone; without such services it does nothing."""

    help = "Start the services that live at Blaxel."

    def handle(self, *args: Any, **options: Any) -> None:
        """Start each, say how it went, and fail when one could not be started."""
        failed = 0
        rows = Service.objects.filter(enabled=True).exclude(runtime=Service.Runtime.LOCAL)
        for service in rows:
            spec = service.spec()
            try:
                state = providers.writer(spec).start(spec)
                self.stdout.write(f"{spec.slug}: {state.phase}")
            except TargetError as error:
                failed += 1
                self.stderr.write(str(error))
        if failed:
            raise CommandError(f"{failed} of {len(rows)} services could not be started.")
