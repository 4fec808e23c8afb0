"""`inject_fault SERVICE FAULT [--as EMAIL]`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from monitoring.faults.injection import FaultRefused, UnknownFault, inject
from monitoring.management.people import acting, named_service
from monitoring.ports import TargetError
from teams.roles import Verb


class Command(BaseCommand):
    """Puts a fault of the catalogue into a demo service, at once and for real."""

    help = "Put a fault into a demo service."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("service", help="its slug, e.g. shop")
        parser.add_argument("fault", help="e.g. bug, slow, crash, bad_config")
        parser.add_argument(
            "--as", dest="email", help="in the name of this person, who must be allowed to"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        service = named_service(options["service"])
        actor = acting(options["email"], Verb.INJECT_FAULT, service)
        try:
            inject(service=service, fault=options["fault"], actor=actor, now=timezone.now())
        except (UnknownFault, FaultRefused, TargetError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{options['fault']} is in {service.slug}.")
