"""`start_services`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from monitoring import providers
from monitoring.management.local_services import for_each, local_specs


class Command(BaseCommand):
    """Starts every enabled local service that does not run; one that cannot start does not hold up the others."""

    help = "Start all enabled local services."
    requires_system_checks = []  # they cost a third of the start, and `up` has a time limit

    def handle(self, *args: Any, **options: Any) -> None:
        specs = [spec for spec in local_specs(enabled=True) if spec.command]
        failed = for_each(specs, lambda spec: providers.writer(spec).start(spec), self.stdout.write)
        if failed:
            raise CommandError(f"{failed} of {len(specs)} services could not be started.")
