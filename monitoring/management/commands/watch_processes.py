"""`watch_processes`."""

from __future__ import annotations

import os
import signal
from typing import Any

from django.core.management.base import BaseCommand

from monitoring.watcher import Watcher


class Command(BaseCommand):
    """Watches the processes of all local services until SIGTERM, and records at once when one ends unplanned."""

    help = "Watch the processes of local services."
    requires_system_checks = []  # they load the pages, the API and the admin, and this process stays

    def handle(self, *args: Any, **options: Any) -> None:
        watcher = Watcher()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: watcher.stop())
        watcher.run()
        # Taking the interpreter apart takes half a second, most of what `up` grants us to stop.
        os._exit(0)
