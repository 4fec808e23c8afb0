"""A setting of the environment is no change of the schema: no migration is due because a number is another here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from django.conf import settings

EXAMPLE = settings.BASE_DIR / ".env.example"
NUMBERS = dict(re.findall(r"^#([A-Z][A-Z0-9_]*)=(\d+(?:\.\d+)?)$", EXAMPLE.read_text(), re.M))
OF_SERVICES = {
    "MONITOR_INTERVAL",
    "AUTO_FIX_THRESHOLD",
    "ESCALATION_THRESHOLD",
    "WATCH_WINDOW_SECONDS",
}


def _another(given: str) -> str:
    """Give a switch the other way round, and half of any other number."""
    return {"0": "1", "1": "0"}.get(given, f"{float(given) / 2:g}")


def test_no_migration_is_due_whatever_numbers_the_environment_gives(tmp_path: Path) -> None:
    assert set(NUMBERS) >= OF_SERVICES
    others = {name: _another(given) for name, given in NUMBERS.items()}
    done = subprocess.run(
        [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
        cwd=settings.BASE_DIR,
        env={**os.environ, **others, "AGENTOPS_DATA": str(tmp_path), "DATABASE_URL": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No changes detected" in done.stdout
