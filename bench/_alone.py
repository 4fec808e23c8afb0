"""Django for a bench that needs no other process: a new database, and nothing that listens."""

from __future__ import annotations

import os
import tempfile


def prepare() -> None:
    """Set up Django on a new database in a folder of this process, without a broker; the folder is left to `finish`."""
    data = tempfile.mkdtemp(prefix="agentops-heal-")
    os.environ |= {"AGENTOPS_DATA": data, "DJANGO_SETTINGS_MODULE": "agentops_site.settings"}
    os.environ |= {"LOG_LEVEL": "CRITICAL", "DATABASE_URL": "", "AGENTOPS_DEMO": "0"}
    for name in ("ANTHROPIC_API_KEY", "BL_API_KEY", "WHITECIRCLE_API_KEY", "ELEVENLABS_API_KEY"):
        os.environ[name] = ""  # this bench is of the built-in parts, whatever the shell knows
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from incidents import queue
    from monitoring import hints, realtime

    queue._send = lambda task, arguments: None
    hints._send = lambda task, queue: None
    realtime._send = lambda message: None
