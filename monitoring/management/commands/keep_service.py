"""`keep_service SLUG`."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from monitoring.keeper.client import KeeperClient, checkout, inherited_environment
from monitoring.keeper.program import program
from monitoring.management.local_services import local_specs
from monitoring.ports import TargetError


class Command(BaseCommand):
    """Becomes the keeper of one local service, in the foreground: for a process manager such as systemd.

    It ends when the service ends. SIGHUP restarts the service as planned, SIGTERM or Ctrl-C stops it as planned.
    """

    help = "Run one local service under its keeper, in the foreground."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")

    def handle(self, *args: Any, **options: Any) -> None:
        specs = local_specs(slug=options["slug"])
        if not specs:
            raise CommandError(f"There is no local service {options['slug']!r}.")
        client = KeeperClient(settings.DATA_DIR, specs[0].slug)
        try:
            client.write_spec(program(specs[0]))
        except TargetError as error:
            raise CommandError(str(error)) from error
        os.chdir(checkout())
        command = client.command(detach=False)
        os.execve(command[0], command, inherited_environment())  # noqa: S606 - our own program
