"""What a worker loads stays in memory once a child and is waited for by its first incident."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from django.urls import reverse

from agentops_site import speaking
from incidents.models import ClearanceReport, Incident

WARM = """
import json, os, sys
os.environ["CELERY_SKIP_CHECKS"] = "1"  # as the launcher does
from celery_app import app, share_what_is_loaded
app.loader.import_default_modules()
share_what_is_loaded(sender="agent@here")
print(json.dumps(sorted(sys.modules)))
"""


def test_an_agent_knows_its_parts_and_its_isolation_before_it_forks_but_no_pages_and_no_sdk() -> (
    None
):
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", WARM], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "agentops_site.integrations.local_sandbox" in loaded
    assert "agentops_site.integrations.isolation.bubblewrap" in loaded
    for heavy in (
        "agentops_site.urls",
        "ninja",
        "unfold.admin",
        "anthropic",
        "blaxel",
        "elevenlabs",
    ):
        assert heavy not in loaded, heavy


@pytest.mark.parametrize(
    ("path", "name", "arguments"),
    [
        (Incident(pk=7).path, "incidents:incident", [7]),
        (ClearanceReport(pk=8).path, "incidents:report", [8]),
        (speaking.address("a1b2"), "voice_audio", ["a1b2"]),
    ],
)
def test_addresses_that_workers_write_down_are_those_of_the_pages(
    path: str, name: str, arguments: list[object]
) -> None:
    assert path == reverse(name, args=arguments)
