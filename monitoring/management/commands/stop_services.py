"""`stop_services [--all]`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitoring import providers
from monitoring.management.local_services import for_each, local_specs


class Command(BaseCommand):
    """Stops, as planned, the local services that end with AgentOps; `--all` stops the others too."""

    help = "Stop the local services that are set to stop with AgentOps."
    requires_system_checks = []  # they cost a third of the start, and `up` has a time limit

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="also those that outlive AgentOps")

    def handle(self, *args: Any, **options: Any) -> None:
        specs = local_specs() if options["all"] else local_specs(stop_with_agentops=True)
        failed = for_each(specs, lambda spec: providers.writer(spec).stop(spec), self.stdout.write)
        if failed:
            raise CommandError(f"{failed} of {len(specs)} services could not be stopped.")
