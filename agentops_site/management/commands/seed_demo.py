"""`seed_demo`."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from agentops_site.demo_shop import seed_shop
from teams.demo import NotInDemoMode, seed_people
from teams.models import User


class Command(BaseCommand):
    """Makes the demo: the people, their password in `demo.json`, the shop's files and its service. Safe to repeat."""

    help = "Make the demo people and the demo shop, where they are missing."

    def handle(self, *args: Any, **options: Any) -> None:
        file = settings.DATA_DIR / "demo.json"
        kept = _kept_password(file)
        password = kept or secrets.token_urlsafe(9)
        try:
            people = seed_people(password)
        except NotInDemoMode as error:
            raise CommandError(str(error)) from error
        if kept is None:
            _set_password(people, password)
        _write(file, password, people)
        service = seed_shop(settings.DATA_DIR)
        self.stdout.write(f"Demo: {len(people)} people, service {service.slug}.")


def _kept_password(file: Path) -> str | None:
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["password"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _set_password(people: list[User], password: str) -> None:
    """Give the demo people a password that is known again: `demo.json` was lost, their rows were not."""
    for person in people:
        person.set_password(password)
        person.save(update_fields=["password"])


def _write(file: Path, password: str, people: list[User]) -> None:
    listed = [{"email": p.email, "role": str(p.role), "name": p.name} for p in people]
    draft = file.with_name(".demo.json")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps({"password": password, "people": listed}, indent=1) + "\n")
    draft.replace(file)
