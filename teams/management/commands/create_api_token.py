"""`create_api_token EMAIL`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from teams import tokens
from teams.models import User


class Command(BaseCommand):
    """Prints a new API token of a person, and nothing else, so that a script can keep it."""

    help = "Make an API token for a person and print it. It is shown only now."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="command line", help="what it is for")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].strip().lower()
        person = User.objects.filter(email=email).first()
        if person is None:
            raise CommandError(f"There is no person with the e-mail address {email}.")
        if not person.is_active:
            raise CommandError(f"{email} is not active: the token would open nothing.")
        self.stdout.write(tokens.issue(person, options["name"], actor="command line"))
