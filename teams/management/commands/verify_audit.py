"""`verify_audit`."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from teams import audit


class Command(BaseCommand):
    """Checks the audit trail from its first entry to its head."""

    help = "Verify the audit trail; exit 1 and name the first edited, deleted or reordered entry."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = audit.verify()
        except audit.AuditBroken as broken:
            raise CommandError(f"The audit trail is broken: {broken}.") from broken
        self.stdout.write(f"The audit trail is whole: {count} entries.")
