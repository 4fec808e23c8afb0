"""`restore_service SERVICE [--as EMAIL]`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from monitoring.faults.injection import FaultRefused, restore
from monitoring.management.people import acting, named_service
from monitoring.ports import TargetError
from teams.roles import Verb


class Command(BaseCommand):
    """Takes all faults out of a service and starts it again."""

    help = "Take all faults out of a service and start it again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("service", help="its slug, e.g. shop")
        parser.add_argument(
            "--as", dest="email", help="in the name of this person, who must be allowed to"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        service = named_service(options["service"])
        actor = acting(options["email"], Verb.RESTORE, service)
        try:
            count = restore(service=service, actor=actor, now=timezone.now())
        except (FaultRefused, TargetError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{service.slug}: {count} faults taken out, started again.")
